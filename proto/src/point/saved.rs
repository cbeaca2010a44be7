//! Saves kept points with serde: each as its bytes, and the name of its batch.
//!
//! A point that is loaded is indexed and checked like one that is received. Memory is reserved only
//! for points that have been read, whatever number is announced.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Point, PointBuf, Points};

/// A pair of the bytes and the name of the batch.
struct Saved<'p>(Point<'p>);

struct Bytes<'p>(&'p [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Serialize for Saved<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&Bytes(self.0.as_bytes()))?;
        pair.serialize_element(self.0.batch_name().unwrap_or_default())?;
        pair.end()
    }
}

impl Serialize for PointBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved(self.as_point()).serialize(serializer)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut points = serializer.serialize_seq(Some(self.len()))?;
        for point in self {
            points.serialize_element(&Saved(point))?;
        }
        points.end()
    }
}

impl<'de> Deserialize<'de> for PointBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(2, PointVisitor)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PointsVisitor)
    }
}

struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = PointBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point and the name of its batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<PointBuf, A::Error> {
        let lacks = |place| A::Error::invalid_length(place, &self);
        let Unnamed(mut point) = pair.next_element()?.ok_or_else(|| lacks(0))?;
        point.batch = pair.next_element()?.ok_or_else(|| lacks(1))?;
        Ok(point)
    }
}

/// A point without the name of its batch.
struct Unnamed(PointBuf);

impl<'de> Deserialize<'de> for Unnamed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Unnamed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a point")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Unnamed, E> {
        PointBuf::parse(bytes).map(Unnamed).map_err(E::custom)
    }
}

struct PointsVisitor;

impl<'de> Visitor<'de> for PointsVisitor {
    type Value = Points;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("points")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut saved: A) -> Result<Points, A::Error> {
        let mut points = Points::new();
        while let Some(point) = saved.next_element::<PointBuf>()? {
            points.push(&point.as_point());
        }
        Ok(points)
    }
}
