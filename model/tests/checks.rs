//! Runs each check in every order.

use std::time::Instant;

use udf_model::checks::CHECKS;

macro_rules! checks {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let mut checks = CHECKS.iter().copied().flatten();
            let check = checks.find(|check| check.name == stringify!($name)).expect("the check is in the list");
            let begun = Instant::now();
            let orders = check.run();
            println!("{orders} orders in {:.1?}: {}", begun.elapsed(), check.promise);
            // A single order would mean that the threads share nothing.
            assert!(orders > 1);
        }
    )*

        #[test]
        fn every_check_is_here() {
            let names = CHECKS.iter().copied().flatten().map(|check| check.name).collect::<Vec<_>>();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

checks! {
    frames_stay_whole
    a_close_ends_it
    a_broken_wire_is_told
    a_sign_of_life_never_waits
    a_look_sees_a_call_as_it_was
    a_call_that_hangs_is_no_rest
    a_new_connection_wakes_the_watchdog
    a_connection_that_has_ended_is_left_alone
    only_work_that_lasts_is_shown
    a_call_that_lasts_is_shown
    calls_that_follow_each_other_are_shown
    input_that_keeps_coming_is_shown
    a_connection_that_was_left_is_given_up
    a_look_waits_for_all_connections_as_long_as_for_one
    a_ticker_that_waits_can_be_dropped
    a_ticker_that_ticks_can_be_dropped
    a_tick_can_end_its_ticker
    ticks_points_and_threads_share_a_connection
    a_tick_that_fails_is_told_once
    a_point_that_fails_ends_the_ticks
    output_of_workers_keeps_the_order
    workers_hold_back_a_large_point
    a_point_that_fails_is_the_last
    a_wire_that_breaks_ends_the_workers
    a_busy_pool_can_be_dismissed
    an_alarm_is_seen_by_an_agent_that_waits_or_works
    the_end_waits_for_threads
    a_refused_init_ends_its_threads
    a_stop_is_seen_by_whoever_asked
    a_server_waits_for_its_connections
    a_death_at_any_moment_costs_nothing
    deaths_of_a_stream_cost_nothing
    deaths_of_batches_cost_nothing
    deaths_of_reduced_batches_cost_nothing
    deaths_with_little_memory_cost_nothing
    deaths_around_a_large_batch_cost_nothing
    deaths_around_a_large_batch_of_output_cost_nothing
    deaths_between_timers_cost_output_of_timers_alone
    an_upgrade_costs_nothing
    upgrades_that_overlap_cost_nothing
    an_upgrade_of_batches_costs_nothing
    an_upgrade_between_timers_costs_nothing
    an_upgrade_and_deaths_between_timers_cost_output_of_timers_alone
    a_refused_upgrade_costs_nothing
    an_unfit_upgrade_costs_nothing
    poison_costs_nothing_else
    poison_and_accidents_cost_nothing_else
    poison_in_a_batch_costs_nothing_else
}
