//! Failover, by example: what a program does with hooks, and what the policy does by itself.
//!
//! Every example runs as a test. Those with a network use an in-memory one in virtual time
//! (feature `memory`); with [`SystemNetwork`](crate::network::SystemNetwork) they are the same.
//!
//! # When a connection fails: `fail_to_connect`
//!
//! Nothing was sent, so any request may go to another peer. The policy does that by itself; the
//! hook sees each failure, and can narrow or steer what follows.
//!
//! ```
//! use proxy::error::AttemptError;
//! use proxy::group::Group;
//! use proxy::hooks::{Attempt, Hooks, Reply, RetryDecision, Target};
//! use proxy::memory::{MemoryNetwork, example};
//! use proxy::session::{ConnectionInfo, Session};
//! use proxy::settings::{GroupSettings, PeerSettings};
//! use std::sync::Arc;
//!
//! struct MyProxy {
//!     group: Arc<Group>,
//!     max_retries: u32,
//! }
//!
//! impl Hooks for MyProxy {
//!     /// Connections that failed for this request.
//!     type Ctx = u32;
//!
//!     fn new_ctx(&self, _: &ConnectionInfo) -> u32 {
//!         0
//!     }
//!
//!     async fn upstream_group(&self, _: &mut Session, _: &mut u32) -> Result<Target, Reply> {
//!         Ok(Target::group(Arc::clone(&self.group)))
//!     }
//!
//!     fn fail_to_connect(
//!         &self,
//!         attempt: &Attempt<'_>,
//!         error: &AttemptError,
//!         failures: &mut u32,
//!     ) -> RetryDecision {
//!         *failures += 1;
//!         eprintln!("Connection to {} failed: {error}", attempt.peer_name());
//!         if *failures <= self.max_retries {
//!             RetryDecision::NextPeer { backoff: None }
//!         } else {
//!             RetryDecision::Stop
//!         }
//!     }
//! }
//!
//! # fn group() -> Arc<Group> {
//! #     let peer = |host: u8| {
//! #         let address = example::address(host);
//! #         PeerSettings::at(format!("peer-{host}"), address)
//! #     };
//! #     let mut settings = GroupSettings::new("search", vec![peer(2), peer(3)]);
//! #     settings.policy.strategy = lb::Strategy::RoundRobin;
//! #     Group::new(settings).unwrap()
//! # }
//! # fn main() -> std::io::Result<()> {
//! example::run(async {
//!     let network = MemoryNetwork::new(example::address(9).ip());
//!     example::peer(&network, 3, 200)?; // nobody listens on host 2
//!     example::proxy(&network, MyProxy { group: group(), max_retries: 3 })?;
//!     for _ in 0..4 {
//!         assert_eq!(example::get(&network, "/").await?, (200, "3".to_owned()));
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # When a request fails after the connection: `error_while_proxy`
//!
//! Now the peer may have seen the request. The hook decides by what happened; whatever it says, a
//! request that may have run is sent again only if that is safe, and never beyond the bounds. A
//! timeout ends in 504, a broken connection in 502.
//!
//! ```
//! use proxy::error::AttemptError;
//! use proxy::group::Group;
//! use proxy::hooks::{Attempt, Hooks, Reply, RetryDecision, Target};
//! use proxy::memory::{MemoryNetwork, example};
//! use proxy::session::{ConnectionInfo, Session};
//! use proxy::settings::{GroupSettings, PeerSettings};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! struct MyProxy(Arc<Group>);
//!
//! impl Hooks for MyProxy {
//!     type Ctx = ();
//!
//!     fn new_ctx(&self, _: &ConnectionInfo) {}
//!
//!     async fn upstream_group(&self, _: &mut Session, (): &mut ()) -> Result<Target, Reply> {
//!         Ok(Target::group(Arc::clone(&self.0)))
//!     }
//!
//!     fn error_while_proxy(
//!         &self,
//!         attempt: &Attempt<'_>,
//!         error: &AttemptError,
//!         (): &mut (),
//!     ) -> RetryDecision {
//!         match error.failure.cause {
//!             // Twice on a timeout.
//!             lb::Cause::HeadTimeout if attempt.number <= 2 => {
//!                 RetryDecision::NextPeer { backoff: None }
//!             }
//!             // Three times on a reset.
//!             lb::Cause::Reset | lb::Cause::Closed if attempt.number <= 3 => {
//!                 RetryDecision::NextPeer { backoff: None }
//!             }
//!             _ => RetryDecision::Stop,
//!         }
//!     }
//! }
//!
//! # fn group(hosts: &[u8]) -> Arc<Group> {
//! #     let peer = |host: &u8| {
//! #         PeerSettings::at(format!("peer-{host}"), example::address(*host))
//! #     };
//! #     let mut settings = GroupSettings::new("search", hosts.iter().map(peer).collect());
//! #     settings.policy.strategy = lb::Strategy::RoundRobin;
//! #     settings.timeouts.first_byte = Some(Duration::from_secs(5));
//! #     settings.policy.retry.attempts = 2;
//! #     Group::new(settings).unwrap()
//! # }
//! # fn main() -> std::io::Result<()> {
//! example::run(async {
//!     let network = MemoryNetwork::new(example::address(9).ip());
//!     example::broken_peer(&network, 2, true)?; // resets
//!     example::broken_peer(&network, 3, false)?; // hangs
//!     example::peer(&network, 4, 200)?;
//!     // A peer that works is left: the client sees nothing of the reset.
//!     example::proxy(&network, MyProxy(group(&[2, 4])))?;
//!     assert_eq!(example::get(&network, "/").await?, (200, "4".to_owned()));
//!     # Ok(())
//! # })?;
//! # example::run(async {
//! #   let network = MemoryNetwork::new(example::address(9).ip());
//! #   example::broken_peer(&network, 3, false)?;
//!     // Nobody answers in time: 504, not 502.
//!     # example::proxy(&network, MyProxy(group(&[3])))?;
//!     assert_eq!(example::get(&network, "/").await?.0, 504);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Retry configuration
//!
//! ```
//! use lb::{Backoff, Jitter, RetryOn, RetryPolicy};
//! use std::time::Duration;
//!
//! let retry = RetryPolicy {
//!     attempts: 4, // the first, and three more
//!     hard_cap: 5,
//!     backoff: Backoff {
//!         initial: Duration::from_millis(100),
//!         multiplier: 2.0,
//!         max: Duration::from_millis(5_000),
//!         jitter: Jitter::None, // the default, `Full`, spreads a storm
//!     },
//!     when: RetryOn {
//!         connect: true, // refused
//!         reset: true,   // reset, broken pipe
//!         timeout: true,
//!         statuses: vec![502, 503, 504],
//!     },
//!     ..RetryPolicy::default()
//! };
//! let entropy = 0;
//! let waits: Vec<u128> =
//!     (1..=8).map(|retry_number| retry.backoff.delay(retry_number, entropy).as_millis()).collect();
//! assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
//! ```
//!
//! # The failover loop
//!
//! The engine's own loop is this one, with I/O between the steps: pick, try, classify, settle,
//! decide. All of it is values, so it can be run without a network or a clock.
//!
//! ```
//! use lb::{
//!     Cause, Decision, Failure, Group, GroupPolicy, Outcome, Peer, PickRequest, Received,
//!     RetryFacts, Sent, Time, Tried,
//! };
//!
//! let peers = vec![Peer::new("a"), Peer::new("b"), Peer::new("c")];
//! let group = Group::new("search", peers, GroupPolicy::default()).unwrap();
//! let now = Time::from_secs(1);
//! let mut tried = Tried::default();
//! let mut entropy = 7;
//! let served_by = loop {
//!     entropy += 1;
//!     // Peers that failed this request are avoided.
//!     let request = PickRequest {
//!         hash: None, pin: None, region: None,
//!         tried: &tried, repeatable: true, retry_same: false,
//!         serves: None,
//!     };
//!     let mut pick = group.pick(&request, now, entropy).unwrap();
//!     let name = &group.peers()[usize::from(pick.peer().0)].name;
//!     // Only `c` answers in this world.
//!     let outcome = if name == "c" {
//!         Outcome::Answered { status: 200, retry_after: None }
//!     } else {
//!         Outcome::Failed(Failure {
//!             cause: Cause::Connect, sent: Sent::Nothing,
//!             received: Received::Nothing, reused: false,
//!         })
//!     };
//!     let class = lb::classify(&outcome);
//!     pick.settle(class.verdict, now, entropy);
//!     tried.insert(pick.peer());
//!     if matches!(outcome, Outcome::Answered { .. }) {
//!         break name.clone();
//!     }
//!     let facts = RetryFacts {
//!         outcome: &outcome, class: &class, safe: true, replayable: true, committed: false,
//!         attempts: u32::try_from(tried.len()).unwrap(), free: 0,
//!         first_failure: now, remaining: None, other_peers: tried.len() < 3,
//!     };
//!     match group.decide(&facts, now, entropy) {
//!         Decision::Retry { wait, .. } => assert!(wait.is_zero(), "another peer: no need to wait"),
//!         Decision::Stop(why) => panic!("all retries exhausted: {why:?}"),
//!     }
//! };
//! assert_eq!(served_by, "c");
//! ```
//!
//! # The circuit breaker
//!
//! Three states. Five failures in a row open it; after 30 s one request at a time tries the peer
//! out; three successes close it, one failure opens it again.
//!
//! ```
//! use lb::{
//!     BreakerPolicy, Group, GroupPolicy, NoPeer, Peer, Pick, PickRequest, Time, Tried, Verdict,
//! };
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! let breaker = BreakerPolicy {
//!     failure_threshold: 5,
//!     open_for: Duration::from_secs(30),
//!     max_open: Duration::from_secs(30),
//!     half_open_probes: 1,
//!     success_threshold: 3,
//!     ..BreakerPolicy::default()
//! };
//! let policy = GroupPolicy { breaker: Some(breaker), ..GroupPolicy::default() };
//! let group = Group::new("search", vec![Peer::new("a")], policy).unwrap();
//! let ask = |group: &Arc<Group>, second: u64| -> Result<Pick, NoPeer> {
//!     let request = PickRequest {
//!         hash: None, pin: None, region: None,
//!         tried: &Tried::default(), repeatable: true, retry_same: false,
//!         serves: None,
//!     };
//!     group.pick(&request, Time::from_secs(second), 1)
//! };
//! // (second, what the peer does; none: no request gets to it)
//! let table = [
//!     (0, Some(Verdict::Fail)), (1, Some(Verdict::Fail)), (2, Some(Verdict::Succeed)),
//!     (3, Some(Verdict::Fail)), (4, Some(Verdict::Fail)), (5, Some(Verdict::Fail)),
//!     (6, Some(Verdict::Fail)), (7, Some(Verdict::Fail)), // the fifth in a row: open
//!     (8, None), (30, None),
//!     (60, Some(Verdict::Fail)), // half-open, and open again
//!     (61, None),
//!     (120, Some(Verdict::Succeed)), (121, Some(Verdict::Succeed)),
//!     (122, Some(Verdict::Succeed)), // closed
//!     (123, Some(Verdict::Fail)), (124, Some(Verdict::Succeed)),
//! ];
//! for (second, expected) in table {
//!     match (ask(&group, second), expected) {
//!         (Ok(mut pick), Some(verdict)) => pick.settle(verdict, Time::from_secs(second), 1),
//!         (Err(NoPeer::AllOpen { .. }), None) => {}
//!         (got, _) => panic!("at {second} s: {got:?}"),
//!     }
//! }
//! ```
//!
//! # Active-passive
//!
//! Priorities make tiers. The standby serves while the primary is down, and the primary gets its
//! traffic back when it has been up for the hold-down.
//!
//! ```
//! use lb::{Change, Group, GroupPolicy, Peer, PeerIndex, PickRequest, Probed, Strategy, Time, Tried};
//!
//! let primary = Peer { priority: 1, ..Peer::new("primary") };
//! let secondary = Peer { priority: 2, ..Peer::new("secondary") };
//! let policy = GroupPolicy { strategy: Strategy::Priority, ..GroupPolicy::default() };
//! let group = Group::new("db", vec![primary, secondary], policy).unwrap();
//! let serving = |now: Time| {
//!     let request = PickRequest {
//!         hash: None, pin: None, region: None,
//!         tried: &Tried::default(), repeatable: true, retry_same: false,
//!         serves: None,
//!     };
//!     group.pick(&request, now, 1).ok().map(|pick| pick.peer().0)
//! };
//! let (up, down) = (Probed::Passed, Probed::Failed);
//! let probe = |peer, result, second| group.probed(PeerIndex(peer), result, Time::from_secs(second), 1);
//!
//! probe(0, up, 0);
//! probe(1, up, 0);
//! assert_eq!(serving(Time::from_secs(1)), Some(0));
//! for second in 2..5 {
//!     probe(0, down, second); // three failed checks
//! }
//! assert_eq!(serving(Time::from_secs(5)), Some(1), "failing over to the secondary");
//! let changes = group.take_changes();
//! assert!(changes.iter().any(|change| matches!(change, Change::TierChanged { from: 1, to: 2 })));
//! probe(0, up, 10);
//! probe(0, up, 11);
//! assert_eq!(serving(Time::from_secs(12)), Some(1), "not yet: it may be flapping");
//! assert_eq!(serving(Time::from_secs(90)), Some(0), "the primary is back");
//! ```
//!
//! # Active-active, with a hash and a fallback
//!
//! A request with a key goes to the peer that owns the key. While that one is down the key goes to
//! the next owner, and only its keys move.
//!
//! ```
//! use lb::{Group, GroupPolicy, Peer, PeerIndex, PickRequest, Probed, Strategy, Time, Tried, hash64};
//!
//! let peers = vec![Peer::new("a"), Peer::new("b"), Peer::new("c")];
//! let policy = GroupPolicy { strategy: Strategy::ConsistentHash, ..GroupPolicy::default() };
//! let group = Group::new("cache", peers, policy).unwrap();
//! let owner = |key: &str| {
//!     let request = PickRequest {
//!         hash: Some(hash64(key.as_bytes())), pin: None, region: None,
//!         tried: &Tried::default(), repeatable: true, retry_same: false,
//!         serves: None,
//!     };
//!     group.pick(&request, Time::from_secs(9), 1).unwrap().peer()
//! };
//! let keys: Vec<String> = (0..100).map(|n| format!("tenant-{n}")).collect();
//! let before: Vec<PeerIndex> = keys.iter().map(|key| owner(key)).collect();
//! for second in 0..3 {
//!     group.probed(PeerIndex(1), Probed::Failed, Time::from_secs(second), 1);
//! }
//! for (key, before) in keys.iter().zip(before) {
//!     let after = owner(key);
//!     assert_ne!(after, PeerIndex(1));
//!     assert!(before == PeerIndex(1) || before == after, "a healthy peer keeps its keys");
//! }
//! ```
//!
//! # Geographic failover
//!
//! The region of the request first, then the fallback list, then any other.
//!
//! ```
//! use lb::{Group, GroupPolicy, Peer, PeerIndex, PickRequest, Probed, Time, Tried};
//!
//! let peer = |name: &str, region: &str| Peer { region: Some(region.into()), ..Peer::new(name) };
//! let peers = vec![peer("eu-1", "eu"), peer("us-1", "us"), peer("ap-1", "ap")];
//! let policy = GroupPolicy {
//!     local_region: Some("us".into()),
//!     region_fallback: vec!["us".into()],
//!     ..GroupPolicy::default()
//! };
//! let group = Group::new("search", peers, policy).unwrap();
//! let region = |wanted: Option<&str>| {
//!     let request = PickRequest {
//!         hash: None, pin: None, region: wanted,
//!         tried: &Tried::default(), repeatable: true, retry_same: false,
//!         serves: None,
//!     };
//!     let peer = group.pick(&request, Time::from_secs(9), 1).unwrap().peer();
//!     group.peers()[usize::from(peer.0)].region.clone().unwrap()
//! };
//! assert_eq!(region(Some("eu")), "eu");
//! assert_eq!(region(None), "us", "no wish: where the proxy is");
//! for second in 0..3 {
//!     group.probed(PeerIndex(0), Probed::Failed, Time::from_secs(second), 1);
//! }
//! assert_eq!(region(Some("eu")), "us", "regional failover from eu to us");
//! ```
