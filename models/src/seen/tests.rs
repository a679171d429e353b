use super::*;

fn expected() -> Expected {
    Expected::default()
        .with("light", &["red", "green", "blue"])
        .with_always(&["one at a time"])
        .without(&[Exception { group: "light", item: "blue", reason: "there is none" }])
}

#[test]
fn what_was_not_reached_not_evaluated_or_not_listed_is_named() {
    let mut seen = Seen::default();
    seen.begin(7);
    seen.sometimes("light", "red");
    let verdict = seen.verdict(&expected());
    assert_eq!(verdict.missing, ["light green"]);
    assert_eq!(verdict.untested, ["one at a time"]);
    assert_eq!(verdict.surprising, [""; 0]);
    assert!(!verdict.is_good());
    seen.sometimes("light", "green");
    seen.always("one at a time", 3);
    assert!(seen.verdict(&expected()).is_good());
    seen.sometimes("light", "blue");
    seen.sometimes("sound", "loud");
    assert_eq!(seen.verdict(&expected()).surprising, ["light blue", "sound loud"]);
}

#[test]
fn what_is_rare_is_neither_missed_nor_a_surprise() {
    let rare = Exception { group: "light", item: "green", reason: "it is rare" };
    let expected = expected().perhaps(&[rare]);
    let mut seen = Seen::default();
    seen.begin(7);
    seen.sometimes("light", "red");
    seen.always("one at a time", 1);
    assert!(seen.verdict(&expected).is_good());
    seen.sometimes("light", "green");
    assert!(seen.verdict(&expected).is_good());
}

#[test]
fn the_order_of_merges_does_not_matter_and_the_lowest_seed_is_the_first() {
    let parts: Vec<Seen> = [(4, "red"), (2, "red"), (9, "green")]
        .map(|(seed, item)| {
            let mut seen = Seen::default();
            seen.begin(seed);
            seen.sometimes("light", item);
            seen.always("one at a time", seed);
            seen
        })
        .into();
    let merged = |order: [usize; 3]| {
        let mut all = Seen::default();
        order.into_iter().for_each(|part| all.merge(&parts[part]));
        all
    };
    let all = merged([0, 1, 2]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(merged(order), all);
    }
    let reached: Vec<_> = all.reached().collect();
    let red = Reached { times: 2, first_seed: 2 };
    let green = Reached { times: 1, first_seed: 9 };
    assert_eq!(reached, [("light", "green", green), ("light", "red", red)]);
    assert_eq!(all.evaluated().collect::<Vec<_>>(), [("one at a time", 15)]);
    assert_eq!(all.last_news(), Some(9));
}

#[test]
#[should_panic(expected = "was not expected")]
fn an_exception_to_nothing_is_a_mistake() {
    let _ = expected().without(&[Exception { group: "light", item: "pink", reason: "" }]);
}
