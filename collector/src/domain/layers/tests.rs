use proptest::prelude::*;

use super::*;

const NAMES: [&str; 5] = ["class", "site", "watch", "owner", "floor"];

fn says() -> impl Strategy<Value = Says> {
    let value = |name: &str| match name {
        "class" => vec!["server", "workstation", "device", "toaster"],
        "watch" => vec!["fast", "normal", "relaxed", "none", "sometimes"],
        _ => vec!["a", "b", "c"],
    };
    let pair = proptest::sample::select(&NAMES[..])
        .prop_flat_map(move |name| proptest::sample::select(value(name)).prop_map(move |value| (name, value)));
    proptest::collection::vec(pair, 0..6)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn layers() -> impl Strategy<Value = Vec<(Layer, Says)>> {
    proptest::collection::vec(says(), 6).prop_map(|said| Layer::ALL.into_iter().zip(said).collect())
}

/// The plain reading of the rule: the last source that says something sensible wins.
fn plainly(said: &[(Layer, Says)], name: &str) -> Option<(Layer, String)> {
    let sensible = |value: &str| !matches!(value, "toaster" | "sometimes");
    let mut said: Vec<_> = said.iter().collect();
    said.sort_by_key(|(layer, _)| *layer);
    let speaks = |(layer, says): &&(Layer, Says)| {
        says.get(name).filter(|value| sensible(value)).map(|value| (*layer, value.clone()))
    };
    said.iter().rev().find_map(speaks)
}

proptest! {
    #[test]
    fn the_order_in_which_layers_arrive_does_not_matter(
        (said, shuffled) in layers().prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
    ) {
        let build = |said: &[(Layer, Says)]| {
            said.iter().fold(Layers::default(), |built, (layer, says)| built.with(*layer, says))
        };
        let built = build(&shuffled);
        prop_assert_eq!(&built, &build(&said));
        for name in NAMES {
            let winner = built.about(name).next_back().map(|(layer, value)| (layer, value.to_owned()));
            prop_assert_eq!(&winner, &plainly(&said, name));
            prop_assert_eq!(built.source(name), winner.as_ref().map(|(layer, _)| *layer));
            let confirmed = winner.filter(|(layer, _)| *layer >= Layer::Token).map(|(_, value)| value);
            prop_assert_eq!(built.confirmed(name).map(str::to_owned), confirmed);
        }
    }

    #[test]
    fn what_a_layer_said_is_gone_without_a_trace_when_it_is_withdrawn(said in layers(), of in 0_usize..6, more in says()) {
        let below = said.iter().fold(Layers::default(), |built, (layer, says)| built.with(*layer, says));
        let layer = Layer::ALL[of];
        let silent = below.with(layer, &Says::new());
        prop_assert_eq!(silent.with(layer, &more).with(layer, &Says::new()), silent.clone());
        // One value at a time, as a person does it.
        let withdrawn: Says = more.keys().map(|name| (name.clone(), String::new())).collect();
        prop_assert_eq!(silent.changed(layer, &more).changed(layer, &withdrawn).effective(), silent.effective());
    }

    #[test]
    fn layers_survive_being_written_down(said in layers()) {
        let layers: Layers = said.into_iter().collect::<BTreeMap<_, _>>().into();
        let text = serde_json::to_string(&layers).unwrap();
        prop_assert_eq!(serde_json::from_str::<Layers>(&text).unwrap(), layers);
    }
}

fn one(name: &str, value: &str) -> Says {
    [(name.to_owned(), value.to_owned())].into()
}

#[test]
fn of_too_many_labels_those_of_later_sources_stay() {
    let many: Says = (0..40).map(|n| (format!("own_{n:02}"), "x".to_owned())).collect();
    let layers = Layers::default().with(Layer::Agent, &many).with(Layer::Person, &one("zone", "b"));
    let labels = layers.effective().labels;
    assert_eq!(labels.len(), MOST_LABELS);
    assert_eq!(labels.get("zone").map(String::as_str), Some("b"));
}

#[test]
fn the_level_follows_the_class_until_somebody_names_one() {
    let laptop = Layers::default().with(Layer::Guess, &one("class", "workstation"));
    assert_eq!(laptop.effective().watch, Watch::Relaxed);
    let server = laptop.with(Layer::Asset, &one("class", "server"));
    assert_eq!(server.effective().watch, Watch::Normal);
    assert_eq!(server.with(Layer::Token, &one("watch", "fast")).effective().watch, Watch::Fast);
}

#[test]
fn old_sources_become_layers_and_a_guessed_level_goes_on_following_the_class() {
    let values = Effective {
        class: Class::Workstation,
        site: Some("berlin".into()),
        watch: Watch::Relaxed,
        labels: [("owner", "ann"), ("floor", "3"), ("odd", "x")].map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
    };
    let sources = [
        ("class", "guess"),
        ("watch", "guess"),
        ("site", "token"),
        ("owner", "person"),
        ("floor", "agent"),
        ("odd", "nobody knows"),
    ];
    let sources = sources.map(|(name, source)| (name.to_owned(), source.to_owned())).into();
    let layers = Layers::of_single_sources(&values, &sources);
    assert_eq!(layers.effective(), values);
    let words: Vec<String> =
        layers.sources().into_iter().map(|(name, layer)| format!("{name}={}", layer.word())).collect();
    assert_eq!(words, ["class=guess", "floor=agent", "odd=token", "owner=person", "site=token"]);
}

#[test]
fn a_difference_names_each_source_and_what_it_withdrew() {
    let before = Layers::default().with(Layer::Person, &one("site", "berlin")).with(Layer::Rule, &one("site", "ulm"));
    let after = before.with(Layer::Person, &Says::new()).with(Layer::Rule, &one("site", "bonn"));
    assert_eq!(after.difference(&before), "rule: site=bonn; person: site=");
    assert_eq!(after.difference(&after), "");
}
