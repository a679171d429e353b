//! Every failure that the explorer has found must stay away: sim/regressions has their tapes.

use std::fs;
use std::path::Path;

use regatta_sim::explore::{self, Options};

#[test]
fn what_failed_once_fails_no_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut ran = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "tape") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let (profile, tape) = explore::from_file(&text).unwrap();
        let failure = explore::failure(&tape, &Options::new(profile));
        assert_eq!(failure, None, "{}", path.display());
        ran += 1;
    }
    assert!(ran > 0, "there are no tapes in {}", folder.display());
}
