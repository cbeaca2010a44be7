//! Groups in a snapshot.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Group;

/// The parts of a complete group, as they are saved.
#[derive(Deserialize)]
struct Parts<'g>(
    #[serde(borrow)] Cow<'g, str>,
    #[serde(borrow)] Cow<'g, str>,
    bool,
    #[serde(borrow)] Vec<Tag<'g>>,
);

/// The name and the value of a tag.
#[derive(Deserialize)]
struct Tag<'g>(#[serde(borrow)] Cow<'g, str>, #[serde(borrow)] Cow<'g, str>);

/// Saves the id of a group that is not complete, and a list of the parts of any other.
impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.is_complete {
            return serializer.serialize_str(self.id());
        }
        (self.id(), self.name(), self.by_name, Tags(self)).serialize(serializer)
    }
}

struct Tags<'g>(&'g Group);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.tags())
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GroupVisitor)
    }
}

struct GroupVisitor;

impl<'de> Visitor<'de> for GroupVisitor {
    type Value = Group;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group")
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Group, E> {
        Ok(Group::of_id(id))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Group, A::Error> {
        let parts = Parts::deserialize(SeqAccessDeserializer::new(parts))?;
        let Parts(id, name, by_name, tags) = &parts;
        let tags: Vec<(&str, &str)> =
            tags.iter().map(|Tag(name, value)| (&**name, &**value)).collect();
        Ok(Group::new(id, name, *by_name, &tags))
    }
}
