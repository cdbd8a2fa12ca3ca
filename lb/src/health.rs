//! Rise and fall of the verdict of the health checks.

/// How many results in a row change a peer's health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HealthPolicy {
    /// Failed checks in a row that make a peer unhealthy; at least 1.
    pub unhealthy_threshold: u32,
    /// Passed checks in a row that make it healthy again; at least 1.
    pub healthy_threshold: u32,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            unhealthy_threshold: 3,
            healthy_threshold: 2,
        }
    }
}

/// What one health check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probed {
    /// The peer did not answer as it should.
    Failed,
    /// It did.
    Passed,
}

/// The verdict of the health checks of one peer, so far.
///
/// ```text
/// Up --- unhealthy_threshold failed in a row ---> Down
/// Down - healthy_threshold passed in a row -----> Up
/// ```
///
/// A peer counts as up until its first result, and that one decides at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Health {
    state: State,
    /// Results in a row against the state.
    against: u32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    Down,
    #[default]
    Unchecked,
    Up,
}

/// How a result changed the verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    Down,
    Up,
}

impl Health {
    pub(crate) fn is_down(self) -> bool {
        self.state == State::Down
    }

    pub(crate) fn is_checked(self) -> bool {
        self.state != State::Unchecked
    }

    /// Results in a row against the present verdict.
    pub(crate) fn against(self) -> u32 {
        self.against
    }

    pub(crate) fn result(&mut self, probed: Probed, policy: HealthPolicy) -> Option<Turn> {
        let (to, turn, needed) = match (self.state, probed) {
            (State::Unchecked, Probed::Passed) => {
                self.state = State::Up;
                return None;
            }
            (State::Unchecked, Probed::Failed) => (State::Down, Turn::Down, 1),
            (State::Up, Probed::Failed) => (State::Down, Turn::Down, policy.unhealthy_threshold),
            (State::Down, Probed::Passed) => (State::Up, Turn::Up, policy.healthy_threshold),
            (State::Up, Probed::Passed) | (State::Down, Probed::Failed) => {
                self.against = 0;
                return None;
            }
        };
        self.against = self.against.saturating_add(1);
        if self.against < needed {
            return None;
        }
        *self = Self {
            state: to,
            against: 0,
        };
        Some(turn)
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;
    use Probed::{Failed, Passed};
    use Turn::{Down, Up};

    fn run(rows: &[(Probed, Option<Turn>)]) {
        let policy = HealthPolicy::default();
        let mut health = Health::default();
        for (row, (probed, turn)) in rows.iter().enumerate() {
            assert_eq!(health.result(*probed, policy), *turn, "row {row}");
            assert!(health.is_checked(), "row {row}");
        }
    }

    #[test]
    fn one_result_decides_at_the_start() {
        assert!(!Health::default().is_checked());
        assert!(!Health::default().is_down());
        run(&[(Failed, Some(Down)), (Passed, None), (Passed, Some(Up))]);
        run(&[
            (Passed, None),
            (Failed, None),
            (Failed, None),
            (Failed, Some(Down)),
        ]);
    }

    #[test]
    fn a_result_between_starts_the_count_over() {
        run(&[
            (Passed, None),
            (Failed, None),
            (Failed, None),
            (Passed, None),
            (Failed, None),
            (Failed, None),
            (Failed, Some(Down)),
            (Failed, None),
            (Passed, None),
            (Failed, None),
            (Passed, None),
            (Passed, Some(Up)),
            (Failed, None),
        ]);
    }

    #[test]
    fn the_count_against_the_verdict_can_be_read() {
        let mut health = Health::default();
        let policy = HealthPolicy::default();
        assert_eq!(health.result(Passed, policy), None);
        assert_eq!(health.result(Failed, policy), None);
        assert_eq!(health.against(), 1);
        assert!(!health.is_down());
        assert_eq!(health.result(Failed, policy), None);
        assert_eq!(health.result(Failed, policy), Some(Down));
        assert!(health.is_down());
        assert_eq!(health.against(), 0);
    }
}
