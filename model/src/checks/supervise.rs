//! The supervisor: the order of input, mark, answer, output and death.

use super::Check;
use super::Tries::{Deviations, Random};
use crate::supervise::Incident::{Checkpoint, KillNewest, KillOldest, Tick, Upgrade};
use crate::supervise::{Kind, Scenario, Version, run};

/// The promise of all checks.
const PROMISE: &str = "Kapacitor gets exactly what it gets from a worker that never dies.";

macro_rules! checks {
    ($($name:ident, $tries:expr, $scenario:expr;)*) => {
        pub(super) const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            promise: PROMISE,
            tries: $tries,
            threads: || run(&$scenario),
        }),*];
    };
}

checks! {
    a_death_at_any_moment_costs_nothing, Deviations(2), SHORT;
    deaths_of_a_stream_cost_nothing, Random(600), STREAM;
    deaths_of_batches_cost_nothing, Random(600), BATCH;
    deaths_of_reduced_batches_cost_nothing, Random(600), REDUCE;
    deaths_with_little_memory_cost_nothing, Random(500), LITTLE;
    deaths_around_a_large_batch_cost_nothing, Random(600), LARGE;
    deaths_around_a_large_batch_of_output_cost_nothing, Random(600), LARGE_OUTPUT;
    deaths_between_timers_cost_output_of_timers_alone, Random(600), TIMER;
    an_upgrade_costs_nothing, Random(600), UPGRADE;
    upgrades_that_overlap_cost_nothing, Random(600), UPGRADES;
    an_upgrade_of_batches_costs_nothing, Random(600), UPGRADE_BATCH;
    an_upgrade_between_timers_costs_nothing, Random(600), UPGRADE_TIMER;
    an_upgrade_and_deaths_between_timers_cost_output_of_timers_alone, Random(600), UPGRADE_TIMER_AND_DEATH;
    a_refused_upgrade_costs_nothing, Random(2000), REFUSED;
    an_unfit_upgrade_costs_nothing, Random(600), UNFIT;
    poison_costs_nothing_else, Random(200), POISON;
    poison_and_accidents_cost_nothing_else, Random(600), POISON_AND_DEATH;
    poison_in_a_batch_costs_nothing_else, Random(500), POISON_BATCH;
}

const SHORT: Scenario = Scenario {
    kind: Kind::Stream,
    next: Version::New,
    sends: "i.ps",
    room: 256,
    incidents: &[KillNewest],
    moments: None,
    memory: 1 << 10,
    may_fail: None,
};

const STREAM: Scenario = Scenario {
    sends: "ni.r.pqskpsqqpkpqs.pq",
    room: 24,
    incidents: &[KillNewest, KillNewest, KillNewest, Checkpoint, Checkpoint],
    moments: Some(400),
    ..SHORT
};

/// Kapacitor also asks for snapshots within batches.
const BATCH: Scenario = Scenario { kind: Kind::Batch, sends: "i.(pp)s(qksp)k()(pq).(p)", ..STREAM };

const REDUCE: Scenario = Scenario { kind: Kind::Reduce, ..BATCH };

const LITTLE: Scenario =
    Scenario { memory: 128, sends: "i.r.pqpqpqpqppqqskpqpqpqpqpqpqpqpq.pq", ..STREAM };

/// A death within the batch that is larger than the memory is not repaired.
const LARGE: Scenario = Scenario {
    kind: Kind::Reduce,
    memory: 128,
    sends: "i.(p)(kpppppppppppp)()(p)(q)(p)(q)(p)",
    may_fail: Some("cannot be replaced"),
    ..STREAM
};

const LARGE_OUTPUT: Scenario = Scenario { kind: Kind::Batch, ..LARGE };

const TIMER: Scenario =
    Scenario { incidents: &[Tick, Tick, Tick, KillNewest, KillNewest, Checkpoint], ..STREAM };

const UPGRADE: Scenario =
    Scenario { incidents: &[KillNewest, KillOldest, Upgrade, Checkpoint], ..STREAM };

const UPGRADES: Scenario =
    Scenario { incidents: &[KillNewest, Upgrade, Upgrade, Upgrade, Checkpoint], ..STREAM };

const UPGRADE_BATCH: Scenario = Scenario { kind: BATCH.kind, sends: BATCH.sends, ..UPGRADE };

const UPGRADE_TIMER: Scenario =
    Scenario { incidents: &[Tick, Tick, Tick, Tick, Upgrade, Checkpoint], ..UPGRADE };

const UPGRADE_TIMER_AND_DEATH: Scenario = Scenario {
    incidents: &[Tick, Tick, Tick, Upgrade, KillNewest, KillOldest, Checkpoint],
    ..UPGRADE
};

const REFUSED: Scenario = Scenario { next: Version::Refuses, ..UPGRADE };

const UNFIT: Scenario = Scenario { next: Version::Another, ..UPGRADE };

const POISON: Scenario = Scenario { sends: "i.pqskxpsqkqp.pq", incidents: &[], ..STREAM };

const POISON_AND_DEATH: Scenario = Scenario { incidents: &[KillNewest, Checkpoint], ..POISON };

/// The batches are written whole.
const POISON_BATCH: Scenario = Scenario {
    kind: Kind::Batch,
    sends: "i.(pp)(pkxsp)k()(pq).(p)",
    room: 256,
    ..POISON_AND_DEATH
};
