//! Random sequences of operations against a group; `lb::model` holds the invariants.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_sequence_of_operations_breaks_an_invariant(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        lb::model::run(&bytes);
    }
}

proptest! {
    #[test]
    fn waits_never_exceed_their_ceiling(retry in any::<u32>(), entropy in any::<u64>()) {
        let backoff = lb::Backoff::default();
        let wait = backoff.delay(retry, entropy);
        prop_assert!(wait <= backoff.max);
        if retry == 1 {
            prop_assert!(wait <= backoff.initial);
        }
    }
}
