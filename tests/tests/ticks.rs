//! The interval of ticks: a literal, an option, or a field that `init` sets.

use std::time::Duration;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, Tick, Udf, testing, udf};

/// Implements `Tick`, and a handler that does nothing but to run `$init`.
macro_rules! ticking {
    ($udf:ident, $init:expr) => {
        impl StreamUdf for $udf {
            fn init(&mut self, _: &Task<Stream>) -> Result<()> {
                let init: fn(&mut Self) = $init;
                init(self);
                Ok(())
            }

            fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
                Ok(())
            }
        }

        impl Tick for $udf {
            fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
                Ok(out.build("tick").field("x", 1).send()?)
            }
        }
    };
}

#[udf(wants = stream, provides = stream, tick = "1m30s")]
struct Fixed {}
ticking!(Fixed, |_| {});

#[udf(wants = stream, provides = stream, tick = every)]
struct OfOption {
    #[option(name = "interval", default = "10s")]
    every: Duration,
}
ticking!(OfOption, |_| {});

#[udf(wants = stream, provides = stream, tick = r#yield)]
struct Perhaps {
    #[option]
    r#yield: Option<Duration>,
}
ticking!(Perhaps, |_| {});

#[udf(wants = stream, provides = stream, tick = every)]
struct OfInit {
    #[option(default = 4)]
    per_second: u32,
    every: Duration,
}
ticking!(OfInit, |udf| udf.every = Duration::from_secs(1) / udf.per_second);

fn every<T: Udf<Provides = Stream> + 'static>(options: &[&str]) -> Option<Duration> {
    let task = options.iter().fold(testing::udf::<T>(), |task, option| task.option(*option));
    task.start().tick_every()
}

#[test]
fn the_interval_is_that_of_the_attribute_or_of_its_field_after_init() {
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    assert_eq!(every::<Fixed>(&[]), seconds(90.0));
    assert_eq!(every::<OfOption>(&[]), seconds(10.0));
    assert_eq!(every::<OfOption>(&["interval=1ms"]), seconds(0.001));
    assert_eq!(every::<Perhaps>(&[]), None);
    assert_eq!(every::<Perhaps>(&["yield=2m"]), seconds(120.0));
    assert_eq!(every::<OfInit>(&[]), seconds(0.25));
    let mut task = testing::udf::<Perhaps>().option("yield=2m").start();
    task.tick();
    task.emits("tick x=1i 0");
}

#[test]
fn an_interval_that_is_too_short_is_refused_by_the_name_of_its_source() {
    let refused = "sets the interval of ticks to";
    for (text, shown) in [("0s", "0s"), ("999u", "999u"), ("999999ns", "999999ns")] {
        assert_eq!(
            testing::udf::<OfOption>().option(format!("interval={text}")).refusal(),
            format!("UDF of_option: `.interval` {refused} {shown}, but it must be at least 1ms")
        );
        assert_eq!(
            testing::udf::<Perhaps>().option(format!("yield={text}")).refusal(),
            format!("UDF perhaps: `.yield` {refused} {shown}, but it must be at least 1ms")
        );
    }
    assert_eq!(
        testing::udf::<OfInit>().option("perSecond=2000").refusal(),
        format!("UDF of_init: the field `every` {refused} 500u, but it must be at least 1ms")
    );
}
