//! Places: geohashes, distances and fences.

use geohash::Coord;
use udf_runtime::options::{FieldName, OptionType, TagName};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;

/// The mean radius of the Earth, in meters.
const EARTH: f64 = 6_371_008.8;

/// The cell of a place as a geohash, its distance from another place, and the fence around it.
#[udf(wants = stream, provides = stream)]
pub struct Geo {
    /// Field with the latitude in degrees.
    #[option(default = "lat")]
    lat: FieldName,
    /// Field with the longitude in degrees.
    #[option(default = "lon")]
    lon: FieldName,
    /// Length of the geohash, which becomes the tag `geohash`. A cell of length 5 is about 5 km wide,
    /// and one of length 7 about 150 m.
    #[option(range = 1..=12, example = 6)]
    geohash: Option<usize>,
    /// Latitude and longitude of a place. The distance in meters becomes the field `distance`.
    #[option(example = (52.52, 13.405))]
    from: Option<Place>,
    /// A circle: its name, the latitude and longitude of its center, and its radius in meters. The
    /// name of the first fence around a place becomes the tag `fence`. Call it once for each fence.
    #[option(len = ..=1000, example = ("office", 52.52, 13.405, 200.0))]
    fence: Vec<Fence>,
    /// Name of the tag of the fence.
    #[option(default = "fence")]
    fence_as: TagName,
}

/// A place on the Earth.
#[derive(Debug, Clone, Copy, OptionType)]
struct Place {
    lat: f64,
    lon: f64,
}

/// A circle with a name.
#[derive(Debug, OptionType)]
struct Fence {
    name: String,
    lat: f64,
    lon: f64,
    radius: f64,
}

impl Place {
    fn is_valid(self) -> bool {
        self.lat.abs() <= 90.0 && self.lon.abs() <= 180.0
    }

    /// Returns the distance in meters along the surface of a sphere, by the haversine formula.
    fn distance(self, other: Place) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let shrink = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let haversine = half(self.lat, other.lat) + shrink * half(self.lon, other.lon);
        2.0 * EARTH * haversine.clamp(0.0, 1.0).sqrt().asin()
    }
}

impl Fence {
    fn center(&self) -> Place {
        Place { lat: self.lat, lon: self.lon }
    }
}

impl StreamUdf for Geo {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if self.geohash.is_none() && self.from.is_none() && self.fence.is_empty() {
            return Err("there is nothing to add; call `.geohash`, `.from` or `.fence`".into());
        }
        let centers = self.fence.iter().map(Fence::center);
        if let Some(place) = self.from.into_iter().chain(centers).find(|place| !place.is_valid()) {
            return Err(format!(
                "{}, {} is no place; write a latitude from -90 to 90, and then a longitude from \
                 -180 to 180",
                place.lat, place.lon
            )
            .into());
        }
        if let Some(fence) =
            self.fence.iter().find(|fence| fence.radius <= 0.0 || fence.radius.is_nan())
        {
            return Err(format!(
                "the radius of the fence `{}` is {}; it must be more than 0 meters",
                fence.name, fence.radius
            )
            .into());
        }
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let place = Place { lat: number(point, &self.lat)?, lon: number(point, &self.lon)? };
        if place.lat.abs() > 90.0 {
            return Err(point.no_field(&self.lat, "a latitude from -90 to 90").into());
        }
        if place.lon.abs() > 180.0 {
            return Err(point.no_field(&self.lon, "a longitude from -180 to 180").into());
        }
        let mut edit = out.edit(point);
        if let Some(length) = self.geohash {
            edit = edit
                .tag("geohash", &geohash::encode(Coord { x: place.lon, y: place.lat }, length)?);
        }
        if let Some(from) = self.from {
            edit = edit.field("distance", place.distance(from));
        }
        let is_around = |fence: &&Fence| place.distance(fence.center()) <= fence.radius;
        if let Some(fence) = self.fence.iter().find(is_around) {
            edit = edit.tag(&self.fence_as, &fence.name);
        }
        Ok(edit.send()?)
    }
}
