use super::*;
use crate::machine::Machine;

#[test]
fn an_empty_pool_wants_nothing() {
    let solo = Solo::new(&SoloConfig::default());
    solo.check();
    assert_eq!(solo.admission(), Admission::NoDemand);
    assert_eq!(solo.poll_timeout(), None);
}
