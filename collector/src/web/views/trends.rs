//! All trends of a host, two days or thirteen months.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State as Given},
};
use serde::Deserialize;

use super::{
    Frame, Shown,
    graph::{self, Graph, Span},
    show,
};
use crate::{
    domain::{
        ids::HostNo,
        time::Timestamp,
        trend::{
            History, Series,
            forecast::{Filling, WINDOW_HOURS, filling},
        },
    },
    web::{Shared, Web, access::Caller, api::hosts::find, problem::Problem},
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    span: String,
}

#[derive(Template)]
#[template(path = "trends.html")]
struct TrendsPage {
    frame: Frame,
    id: String,
    name: String,
    is_days: bool,
    span: &'static str,
    zone: String,
    graphs: Vec<Graph>,
}

/// The view of all graphs.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let host = find(&web.snapshot(), &host)?;
    let profile = &host.profile;
    let span = if asked.span == "months" { Span::Months } else { Span::Days };
    let past = Past::of(&web, profile.no, span).await?;
    show(&TrendsPage {
        frame: Frame::new(&web, &caller, "status", format!("Trends of {}", profile.name)),
        id: profile.id.to_string(),
        name: profile.name.clone(),
        is_days: span == Span::Days,
        span: span.words(),
        zone: zone_words(&web, past.now),
        graphs: past.history.series().iter().filter_map(|series| past.graph(&web, series)).collect(),
    })
}

/// `Europe/Berlin (+01:00)`, or the offset alone.
pub(super) fn zone_words(web: &Web, now: Timestamp) -> String {
    let offset = jiff::Timestamp::from_millisecond(now.ms())
        .map_or_else(|_| String::new(), |instant| instant.to_zoned(web.zone.clone()).strftime("%:z").to_string());
    web.zone.iana_name().map_or_else(|| offset.clone(), |name| format!("{name} ({offset})"))
}

/// What is known of a host's past, and what it says of the days to come.
pub(super) struct Past {
    pub(super) history: History,
    pub(super) filling: Vec<Filling>,
    pub(super) now: Timestamp,
    span: Span,
}

impl Past {
    pub(super) async fn of(web: &Web, host: HostNo, span: Span) -> Result<Self, Problem> {
        let now = web.now();
        let history = web.history(host, now.plus_ms(-span.ms()), now.plus_ms(1)).await?;
        let two_days_ago = now.plus_ms(-(WINDOW_HOURS as i64) * 3_600_000).ms() / 60_000;
        let recent: Vec<_> = history.minutes.iter().filter(|row| row.from >= two_days_ago).cloned().collect();
        Ok(Self { filling: filling(&recent), history, now, span })
    }

    pub(super) fn graph(&self, web: &Web, series: &Series) -> Option<Graph> {
        let frame = graph::Frame { span: self.span, now: self.now, zone: &web.zone };
        graph::draw(&self.history, series, &self.filling, frame)
    }

    /// The few graphs that say most: processors, memory, the network, and the file system that is full soonest or has
    /// least left.
    pub(super) fn key_graphs(&self, web: &Web) -> Vec<Graph> {
        let mut wanted: Vec<Series> = ["cpu_busy_ratio", "memory_available_bytes", "network_receive_bytes_per_second"]
            .iter()
            .filter_map(|name| Series::new(name, ""))
            .collect();
        let soonest = self.filling.first().map(|filling| filling.mount_point.clone());
        let mount_point = soonest.or_else(|| self.least_left());
        wanted.extend(mount_point.and_then(|part| Series::new("filesystem_avail_bytes", &part)));
        wanted.iter().filter_map(|series| self.graph(web, series)).collect()
    }

    fn least_left(&self) -> Option<Box<str>> {
        let row = self.history.minutes.last()?;
        let free = row.columns.iter().filter(|(series, _)| series.reading().name == "filesystem_avail_bytes");
        let last = free.filter_map(|(series, column)| {
            Some((column.iter().rev().copied().find(|value| value.is_finite())?, &series.part))
        });
        last.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, part)| part.clone())
    }
}
