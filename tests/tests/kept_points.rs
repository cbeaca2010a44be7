//! A point that outlives its batch keeps the name of the batch, in every owned form.

use udf_proto::{BeginBatch, EndBatch, messages};
use udf_runtime::{
    Batch, BatchUdf, Emitter, FromPoint, Point, PointBuf, Points, Result, Stream, testing, udf,
};

/// Sends the points of a batch when the next batch begins, and at the end of the input.
#[udf(wants = batch, provides = stream)]
struct Later {
    alone: Vec<PointBuf>,
    together: Points,
    parts: Vec<messages::Point>,
}

impl Later {
    fn send(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        for point in self.alone.drain(..) {
            out.pass(&point.as_point())?;
        }
        for point in self.together.iter() {
            out.edit(&point).field("usage", 2.0).send()?;
        }
        self.together.clear();
        for point in self.parts.drain(..) {
            out.pass(&PointBuf::from(point).as_point())?;
        }
        Ok(())
    }
}

impl BatchUdf for Later {
    fn begin(&mut self, _: &BeginBatch, out: &mut Emitter<Stream>) -> Result<()> {
        self.send(out)
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.alone.push(point.to_buf());
        self.together.push(point);
        self.parts.push(messages::Point::from(*point));
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        self.send(out)
    }
}

#[test]
fn kept_points_go_out_under_the_name_of_their_own_batch() {
    let mut task = testing::udf::<Later>().start();
    task.feed("cpu usage=1 10");
    task.emits_nothing();
    task.feed("mem usage=5 20");
    task.emits("cpu usage=1 10\ncpu usage=2 10\ncpu usage=1 10");
    task.end();
    task.emits("mem usage=5 20\nmem usage=2 20\nmem usage=5 20");
}

#[test]
fn a_point_that_is_passed_is_not_checked() {
    let mut task = testing::udf::<Later>().start();
    let mut batch = testing::WholeBatch { name: "cpu".to_owned(), ..Default::default() };
    batch.points.push(&testing::point("", |point| point.tag("host", "a").time(10)).as_point());
    task.feed_batch(&batch);
    task.end();
    let output = task.output();
    let names: Vec<_> = output.iter().map(|point| point.as_point().name()).collect();
    assert_eq!(names, ["cpu"; 3], "a point is missing or has another name");
}

#[derive(FromPoint)]
struct Kept {
    #[point]
    point: PointBuf,
}

/// Sends its first point before each later one, and reports names.
#[udf(wants = batch, provides = stream, point = Kept)]
struct First {
    first: Option<PointBuf>,
}

impl BatchUdf for First {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, kept: &Kept, out: &mut Emitter<Stream>) -> Result<()> {
        let first = self.first.get_or_insert_with(|| kept.point.clone()).as_point();
        out.edit(&first).field("name", first.name()).send()?;
        Ok(out.pass(&kept.point.as_point())?)
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_point_as_the_input_of_a_handler_is_kept_with_its_name() {
    let mut task = testing::udf::<First>().start();
    task.feed("cpu usage=1 10");
    task.feed("mem usage=5 20");
    task.emits(
        "cpu usage=1,name=\"cpu\" 10
         cpu usage=1 10
         cpu usage=1,name=\"cpu\" 10
         mem usage=5 20",
    );
}

/// Fails because of a field that no point has.
#[udf(wants = batch, provides = batch, on_missing = fail)]
struct Asking {}

impl BatchUdf for Asking {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        point.number("nothing")?;
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_missing_field_is_told_with_the_name_of_the_batch() {
    let mut task = testing::udf::<Asking>().start();
    task.feed("cpu usage=1 10");
    let failure = task.failure();
    assert!(failure.contains("a point of `cpu` has no field `nothing`"), "{failure}");
}
