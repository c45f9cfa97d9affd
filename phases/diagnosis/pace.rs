//! How often a node is looked at while something is waited for: soon at first, then less often. Each look starts programs and
//! reads logs, on a machine that is busy with what is waited for.

use std::time::Duration;

use crate::world::{Clock, World};

/// Seconds from one look to the next; the last of them repeats.
const PAUSES: [u64; 3] = [1, 2, 3];

/// Which looks are due during one wait.
#[derive(Debug)]
pub(crate) struct Pace {
    looked: Clock,
    looks: usize,
}

impl Pace {
    /// Of a wait that begins now.
    pub(crate) fn new(world: &World<'_>) -> Self {
        Self { looked: world.time().now(), looks: 0 }
    }

    /// How long from the last look to the next. The clock has no parts of seconds, so that it comes up to one later.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_secs(PAUSES[self.looks.min(PAUSES.len() - 1)])
    }

    /// Whether it is time for a look, which then counts as done. A clock that was set back makes one due.
    pub(crate) fn is_due(&mut self, world: &World<'_>) -> bool {
        let now = world.time().now();
        let is_due = now > self.looked.plus(self.pause()) || now < self.looked;
        if is_due {
            *self = Self { looked: now, looks: self.looks + 1 };
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::plan::Journal;
    use crate::problem::Problem;
    use crate::support::Bench;
    use crate::world::{Probe, Time, Wait, WaitError};

    struct At(Cell<i64>);

    impl Time for At {
        fn now(&self) -> Clock {
            Clock(self.0.get())
        }

        fn wait(&self, _: &Wait<'_>, _: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
            Ok(())
        }
    }

    #[test]
    fn looks_become_less_frequent_and_a_clock_that_was_set_back_stops_none() {
        let (bench, time) = (Bench::default(), At(Cell::new(0)));
        let journal = Journal::new(&bench.store);
        let cluster = (&bench.overlay as _, &bench.overlay as _);
        let world = World::new(&bench.overlay, cluster, &time, (&bench.entropy, &bench.recorder), &journal);
        let mut pace = Pace::new(&world);
        let mut due_at = |second: i64| {
            time.0.set(second);
            pace.is_due(&world)
        };
        let due: Vec<i64> = (0..20).filter(|second| due_at(*second)).collect();
        assert_eq!(due, [2, 5, 9, 13, 17]);
        assert!(due_at(-100) && !due_at(-99));
    }
}
