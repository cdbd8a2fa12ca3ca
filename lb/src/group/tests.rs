//! Groups as a whole.

use crate::{
    Group, GroupPolicy, NoPeer, Peer, PeerIndex, PickRequest, Probed, Strategy, Time, Verdict,
};

#[test]
fn a_standby_serves_while_the_primary_is_down() {
    let primary = Peer::new("a");
    let standby = Peer {
        priority: 2,
        ..Peer::new("b")
    };
    let policy = GroupPolicy {
        strategy: Strategy::Priority,
        ..GroupPolicy::default()
    };
    let group = Group::new("g", vec![primary, standby], policy).unwrap();
    let now = Time::from_secs(1);
    let pick = group.pick(&PickRequest::default(), now, 7).unwrap();
    assert_eq!(pick.peer(), PeerIndex(0));
    group.probed(PeerIndex(0), Probed::Failed, now, 1);
    let pick = group.pick(&PickRequest::default(), now, 7).unwrap();
    assert_eq!(pick.peer(), PeerIndex(1));
}

#[test]
fn open_breakers_tell_when_they_reopen() {
    let group = Group::new("g", vec![Peer::new("a")], GroupPolicy::default()).unwrap();
    let now = Time::from_secs(1);
    for _ in 0..3 {
        let mut pick = group.pick(&PickRequest::default(), now, 7).unwrap();
        pick.settle(Verdict::ConnectFail, now, 0);
    }
    let refused = group.pick(&PickRequest::default(), now, 7).unwrap_err();
    let retry_after = std::time::Duration::from_secs(2);
    assert_eq!(refused, NoPeer::AllOpen { retry_after });
    let later = Time::from_secs(3);
    let mut pick = group.pick(&PickRequest::default(), later, 7).unwrap();
    assert!(pick.is_probe());
    assert!(group.pick(&PickRequest::default(), later, 7).is_err());
    pick.settle(Verdict::Succeed, later, 0);
    drop(pick);
    let mut pick = group.pick(&PickRequest::default(), later, 7).unwrap();
    pick.settle(Verdict::Succeed, later, 0);
    assert!(
        !group
            .pick(&PickRequest::default(), later, 7)
            .unwrap()
            .is_probe()
    );
}
