//! A clock that the test moves: late, grace, runs, failures, absences of the collector and changes of the clock.

use super::{expectation::Deadline, schedule::Schedule, *};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn at(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn job(expected: Expectation, grace_ms: i64) -> Heartbeat {
    let name = "backup".to_owned();
    Heartbeat { name, expected, grace_ms, severity: Severity::Warning, host: None, site: None, labels: Vec::new() }
}

fn hourly() -> Heartbeat {
    job(Expectation::Every(HOUR), 10 * MINUTE)
}

/// By 03:00 in Berlin, half an hour of grace.
fn nightly(weekdays: &[i8]) -> Heartbeat {
    let time = "03:00".parse().unwrap();
    let deadline = Deadline { zone: "Europe/Berlin".into(), weekdays: weekdays.to_vec(), time };
    job(Expectation::By(deadline), 30 * MINUTE)
}

fn says(job: &Heartbeat, row: Option<&HeartbeatRow>, signal: Signal, when: &str) -> HeartbeatRow {
    job.heard(row, &Ping { name: job.name.clone(), signal, said: String::new() }, at(when))
}

fn state(job: &Heartbeat, row: &HeartbeatRow, when: &str) -> State {
    job.standing(Some(row), at(when)).0
}

#[test]
fn before_its_first_word_nothing_is_wrong() {
    assert_eq!(hourly().standing(None, at("2026-11-29T12:00:00Z")).0, State::New);
}

#[test]
fn a_job_is_late_once_its_period_and_its_grace_have_passed_and_a_success_clears_it() {
    let job = hourly();
    let row = says(&job, None, Signal::Success, "2026-11-29T12:00:00Z");
    assert_eq!(state(&job, &row, "2026-11-29T13:09:59.999Z"), State::Up);
    assert_eq!(job.standing(Some(&row), at("2026-11-29T14:00:00Z")), (State::Late, at("2026-11-29T13:10:00Z")));
    assert_eq!(job.alarm_at(&row), at("2026-11-29T13:10:00Z"));
    let row = says(&job, Some(&row), Signal::Success, "2026-11-29T14:00:00Z");
    assert_eq!(state(&job, &row, "2026-11-29T15:09:00Z"), State::Up);
}

#[test]
fn a_run_that_does_not_end_within_its_grace_is_an_overrun_and_one_begun_in_time_is_not_late() {
    let job = hourly();
    let row = says(&job, None, Signal::Success, "2026-11-29T12:00:00Z");
    let row = says(&job, Some(&row), Signal::Start, "2026-11-29T13:05:00Z");
    assert_eq!(state(&job, &row, "2026-11-29T13:14:59Z"), State::Running);
    assert_eq!(state(&job, &row, "2026-11-29T13:15:00Z"), State::Overrun);
    let ended = says(&job, Some(&row), Signal::Success, "2026-11-29T13:12:00Z");
    assert_eq!((ended.took_ms, ended.due), (Some(7 * MINUTE), at("2026-11-29T14:12:00Z")));
    assert_eq!(state(&job, &ended, "2026-11-29T13:20:00Z"), State::Up);
}

#[test]
fn a_run_that_begins_when_the_job_is_late_excuses_nothing() {
    let job = hourly();
    let row = says(&job, None, Signal::Success, "2026-11-29T12:00:00Z");
    let row = says(&job, Some(&row), Signal::Start, "2026-11-29T13:30:00Z");
    assert_eq!(state(&job, &row, "2026-11-29T13:31:00Z"), State::Late);
}

#[test]
fn a_failure_is_trouble_at_once_until_a_run_succeeds() {
    let job = hourly();
    let row = says(&job, None, Signal::Success, "2026-11-29T12:00:00Z");
    let row = says(&job, Some(&row), Signal::Fail(Some(2)), "2026-11-29T12:30:00Z");
    assert_eq!(job.standing(Some(&row), at("2026-11-29T12:30:00Z")), (State::Failed, at("2026-11-29T12:30:00Z")));
    assert_eq!(job.trouble(&row, State::Failed).0, "backup failed with exit status 2");
    let again = says(&job, Some(&row), Signal::Start, "2026-11-29T12:40:00Z");
    assert_eq!(state(&job, &again, "2026-11-29T12:41:00Z"), State::Failed);
    let well = says(&job, Some(&again), Signal::Success, "2026-11-29T12:42:00Z");
    assert_eq!(state(&job, &well, "2026-11-29T12:42:00Z"), State::Up);
}

#[test]
fn what_may_have_been_said_while_the_collector_was_away_is_not_missed() {
    let job = hourly();
    let row = says(&job, None, Signal::Success, "2026-11-29T12:00:00Z");
    let away = |row: &HeartbeatRow, from: &str, to: &str| job.away(row, at(from), at(to));
    // The word at 13:00 may have been said then: the next comes within a period of the return.
    let over = away(&row, "2026-11-29T12:40:00Z", "2026-11-29T13:05:00Z");
    assert_eq!(state(&job, &over, "2026-11-29T14:14:59Z"), State::Up);
    assert_eq!(state(&job, &over, "2026-11-29T14:15:00Z"), State::Late);
    let long = away(&row, "2026-11-29T12:40:00Z", "2026-11-30T09:00:00Z");
    assert_eq!(state(&job, &long, "2026-11-30T10:09:00Z"), State::Up);
    // Nothing was to be said in that time, and who was late before is late.
    assert_eq!(away(&row, "2026-11-29T12:10:00Z", "2026-11-29T12:30:00Z"), row);
    assert_eq!(away(&row, "2026-11-29T13:30:00Z", "2026-11-29T14:30:00Z"), row);
    // The end of a run may have been told then.
    let running = says(&job, Some(&row), Signal::Start, "2026-11-29T12:58:00Z");
    let over = away(&running, "2026-11-29T12:59:00Z", "2026-11-29T13:30:00Z");
    assert_eq!(state(&job, &over, "2026-11-29T14:30:00Z"), State::Up);
}

#[test]
fn a_nightly_job_that_is_done_early_is_not_missed_that_night_and_counts_once() {
    let job = nightly(&[]);
    // Winter: 03:00 in Berlin is 02:00 UTC.
    let row = says(&job, None, Signal::Success, "2026-11-29T01:50:00Z");
    assert_eq!((row.due, row.lead_ms), (at("2026-11-30T02:00:00Z"), 10 * MINUTE));
    let twice = says(&job, Some(&row), Signal::Success, "2026-11-29T02:05:00Z");
    assert_eq!(twice.due, at("2026-11-30T02:00:00Z"), "a second run in the grace is no run of the next night");
    assert_eq!(state(&job, &row, "2026-11-30T02:29:59Z"), State::Up);
    assert_eq!(state(&job, &row, "2026-11-30T02:30:00Z"), State::Late);
    let late = says(&job, Some(&row), Signal::Success, "2026-11-30T05:00:00Z");
    assert_eq!(late.due, at("2026-12-01T02:00:00Z"), "the one that was missing, not the next one");
    let early = says(&job, Some(&row), Signal::Success, "2026-12-01T01:50:00Z");
    assert_eq!(early.due, at("2026-12-02T02:00:00Z"), "nearer to the next one");
}

#[test]
fn weekends_are_not_expected_where_days_say_so() {
    let job = nightly(&[1, 2, 3, 4, 5]);
    // 2026-11-27 is a Friday.
    let row = says(&job, None, Signal::Success, "2026-11-27T01:50:00Z");
    assert_eq!(row.due, at("2026-11-30T02:00:00Z"));
    assert_eq!(state(&job, &row, "2026-11-29T23:00:00Z"), State::Up);
}

#[test]
fn a_deadline_follows_the_clocks_of_its_zone_over_their_changes() {
    let at_half_past_two = |expected_zone: &str| Deadline {
        zone: expected_zone.into(),
        weekdays: Vec::new(),
        time: "02:30".parse().unwrap(),
    };
    let job = job(Expectation::By(at_half_past_two("Europe/Berlin")), MINUTE);
    // 25 October 2026: 02:30 comes twice; the job has until the second. 29 March 2026: it does not come at all.
    let row = says(&job, None, Signal::Success, "2026-10-24T00:20:00Z");
    assert_eq!(row.due, at("2026-10-25T01:30:00Z"));
    let row = says(&job, None, Signal::Success, "2026-03-28T01:20:00Z");
    assert_eq!(row.due, at("2026-03-29T01:00:00Z"));
    let row = says(&job, Some(&row), Signal::Success, "2026-03-29T00:59:00Z");
    assert_eq!(row.due, at("2026-03-30T00:30:00Z"));
}

#[test]
fn a_restart_at_noon_says_nothing_of_the_night_but_one_in_the_night_does() {
    let job = nightly(&[]);
    let row = says(&job, None, Signal::Success, "2026-11-28T01:50:00Z");
    assert_eq!(job.away(&row, at("2026-11-28T12:00:00Z"), at("2026-11-28T12:01:00Z")), row);
    let over = job.away(&row, at("2026-11-29T01:45:00Z"), at("2026-11-29T01:55:00Z"));
    assert_eq!(over.due, at("2026-11-30T02:00:00Z"));
    let late = says(&job, Some(&row), Signal::Start, "2026-11-29T03:00:00Z");
    assert_eq!(job.away(&late, at("2026-11-29T03:10:00Z"), at("2026-11-29T03:20:00Z")), late, "late before");
}

#[test]
fn another_expectation_in_the_configuration_counts_from_the_last_success() {
    let row = says(&hourly(), None, Signal::Success, "2026-11-29T12:00:00Z");
    let daily = job(Expectation::Every(24 * HOUR), HOUR);
    assert_eq!(daily.reread(&row).due, at("2026-11-30T12:00:00Z"));
    assert_eq!(hourly().reread(&row), row);
}

#[test]
fn what_a_job_said_is_evidence_by_its_last_line() {
    let job = hourly();
    let said = "copying\nrsync: no space left\u{7}\n\n".to_owned();
    let row =
        job.heard(None, &Ping { name: "backup".into(), signal: Signal::Fail(None), said }, at("2026-11-29T12:00:00Z"));
    let (summary, evidence) = job.trouble(&row, State::Failed);
    assert_eq!(summary, "backup failed");
    assert!(evidence.contains("it said: rsync: no space left") && !evidence.contains('\u{7}'), "{evidence}");
    assert!(evidence.contains("every 1 h") && evidence.contains("never yet"), "{evidence}");
}

/// Begun at 03:00 in Berlin (02:00 UTC in winter), half an hour for it.
fn begun_at_three() -> Heartbeat {
    let schedule = Schedule::cron("0 3 * * *", "Europe/Berlin").unwrap();
    job(Expectation::At(Box::new(schedule)), 30 * MINUTE)
}

#[test]
fn a_run_that_a_crontab_begins_is_missed_when_start_and_grace_have_passed_and_one_by_hand_replaces_none() {
    let job = begun_at_three();
    let row = says(&job, None, Signal::Success, "2026-11-29T02:10:00Z");
    assert_eq!(row.due, at("2026-11-30T02:00:00Z"));
    let by_hand = says(&job, Some(&row), Signal::Success, "2026-11-29T12:00:00Z");
    assert_eq!(by_hand.due, at("2026-11-30T02:00:00Z"));
    assert_eq!(state(&job, &by_hand, "2026-11-30T02:29:59.999Z"), State::Up);
    assert_eq!(job.standing(Some(&by_hand), at("2026-11-30T09:00:00Z")), (State::Late, at("2026-11-30T02:30:00Z")));
    let late = says(&job, Some(&by_hand), Signal::Success, "2026-11-30T09:00:00Z");
    assert_eq!((late.due, state(&job, &late, "2026-11-30T09:00:00Z")), (at("2026-12-01T02:00:00Z"), State::Up));
    let ahead = says(&job, Some(&late), Signal::Success, "2026-12-01T01:59:59Z");
    assert_eq!(ahead.due, at("2026-12-02T02:00:00Z"), "its clock is a second ahead");
    let first = says(&job, None, Signal::Start, "2026-11-29T02:00:01Z");
    assert_eq!(state(&job, &first, "2026-11-29T02:30:00Z"), State::Running);
    assert_eq!(state(&job, &first, "2026-11-29T02:30:01Z"), State::Overrun);
}

#[test]
fn an_absence_before_a_run_begins_excuses_nothing_and_one_from_then_on_does() {
    let job = begun_at_three();
    let row = says(&job, None, Signal::Success, "2026-11-28T02:10:00Z");
    assert_eq!(job.away(&row, at("2026-11-29T01:00:00Z"), at("2026-11-29T01:59:00Z")), row);
    let over = job.away(&row, at("2026-11-29T01:00:00Z"), at("2026-11-29T02:00:30Z"));
    assert_eq!(over.due, at("2026-11-30T02:00:00Z"));
    let long = job.away(&row, at("2026-11-29T02:20:00Z"), at("2026-12-03T12:00:00Z"));
    assert_eq!(long.due, at("2026-12-04T02:00:00Z"));
}

#[test]
fn the_first_run_of_a_schedule_is_known_before_its_first_word() {
    let expected = begun_at_three().expected;
    assert_eq!(expected.next_run(at("2026-11-29T02:00:00Z")), Some(at("2026-11-30T02:00:00Z")));
    assert_eq!(hourly().expected.next_run(at("2026-11-29T02:00:00Z")), None);
}
