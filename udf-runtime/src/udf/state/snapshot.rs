//! The envelope of a snapshot: a format version, the name of the UDF, and a checksum around the
//! state.
//!
//! | bytes | content |
//! | --- | --- |
//! | 4 | `KUDF` |
//! | 2 | version of the format, little-endian as all numbers here |
//! | 4 | CRC-32 of everything that follows |
//! | 2 + n | name of the UDF, behind its length |
//! | for each field: 2 + n | name of the field, behind its length |
//! | 8 + n | its value in MessagePack, structs by the names of their members, behind its length |

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::error::Result;

const MAGIC: &[u8] = b"KUDF";
const VERSION: u16 = 1;
const HEADER: usize = MAGIC.len() + 2 + 4;

thread_local! {
    static RESTORED: Cell<usize> = const { Cell::new(0) };
}

/// Returns the size of the value that this thread is restoring, in bytes. Use it to check the
/// announced number of elements, which can be false.
pub(super) fn restored_bytes() -> usize {
    RESTORED.get()
}

/// The reason why a snapshot cannot be restored. The state is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are not a snapshot.
    #[error("these {length} bytes are not a snapshot of a UDF of this kit")]
    Foreign {
        /// The number of bytes.
        length: usize,
    },
    /// The snapshot was written by a later version of this kit.
    #[error(
        "the snapshot has format {found}, but this UDF reads formats up to {VERSION}; update the UDF"
    )]
    Newer {
        /// The version of its format.
        found: u16,
    },
    /// The snapshot was changed or cut after it was taken.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// The snapshot belongs to another UDF.
    #[error("the snapshot belongs to the UDF `{found}`, not to `{expected}`")]
    OtherUdf {
        /// The name in the snapshot.
        found: String,
        /// The name of this UDF.
        expected: String,
    },
    /// A value does not fit the type of its field.
    #[error("the snapshot's `{field}` does not fit the state of this UDF: {why}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The reason.
        why: String,
    },
}

/// Collects the state of a UDF, field by field, for a snapshot.
#[derive(Debug)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

impl StateWriter {
    /// Starts a snapshot of the UDF `name`.
    pub fn new(name: &str) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 4]);
        let mut writer = StateWriter { bytes };
        writer.name(name);
        writer
    }

    /// Adds the field `name`.
    ///
    /// # Errors
    /// Returns an error if the value cannot be serialized.
    pub fn field<T: Serialize>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.name(name);
        let length = self.bytes.len();
        self.bytes.extend([0; 8]);
        let start = self.bytes.len();
        let mut serializer = rmp_serde::Serializer::new(&mut self.bytes).with_struct_map();
        value
            .serialize(&mut serializer)
            .map_err(|error| format!("the state `{name}` cannot be serialized: {error}"))?;
        let written = (self.bytes.len() - start) as u64;
        self.bytes[length..start].copy_from_slice(&written.to_le_bytes());
        Ok(())
    }

    /// Returns the snapshot.
    pub fn finish(mut self) -> Vec<u8> {
        let checksum = crc32fast::hash(&self.bytes[HEADER..]);
        self.bytes[HEADER - 4..HEADER].copy_from_slice(&checksum.to_le_bytes());
        self.bytes
    }

    fn name(&mut self, name: &str) {
        let length = u16::try_from(name.len()).expect("identifiers are shorter than 64 KiB");
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(name.as_bytes());
    }
}

/// Reads the state of a UDF from a snapshot, field by field.
#[derive(Debug)]
pub struct StateReader<'a> {
    /// The fields are not copied: a snapshot can have very many tiny fields.
    fields: Fields<'a>,
    asked: Vec<&'static str>,
    warnings: Vec<String>,
}

impl<'a> StateReader<'a> {
    /// Opens a snapshot of the UDF `name`, and checks everything but the values.
    ///
    /// # Errors
    /// Returns any variant of [`SnapshotError`] but the one about a field.
    pub fn open(name: &str, snapshot: &'a [u8]) -> Result<Self, SnapshotError> {
        use SnapshotError::Damaged;
        let foreign = SnapshotError::Foreign { length: snapshot.len() };
        let mut rest = Rest(snapshot.strip_prefix(MAGIC).ok_or(foreign)?);
        let version = u16::from_le_bytes(rest.array()?);
        if version > VERSION {
            return Err(SnapshotError::Newer { found: version });
        }
        if version == 0 {
            return Err(Damaged("no format has the number 0"));
        }
        let checksum = u32::from_le_bytes(rest.array()?);
        if crc32fast::hash(rest.0) != checksum {
            return Err(Damaged("its checksum does not match"));
        }
        let found = rest.name()?;
        if found != name {
            let (found, expected) = (found.to_owned(), name.to_owned());
            return Err(SnapshotError::OtherUdf { found, expected });
        }
        let fields = Fields(rest);
        fields.clone().try_for_each(|field| field.map(drop))?;
        Ok(StateReader { fields, asked: Vec::new(), warnings: Vec::new() })
    }

    /// Reads the field `name`. Returns `None` if the snapshot is older than the field.
    ///
    /// # Errors
    /// Returns an error if the value does not fit the type, or if the snapshot has the field twice.
    pub fn field<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>> {
        if self.asked.contains(&name) {
            return Ok(None);
        }
        self.asked.push(name);
        let mut values = self.fields().filter(|(found, _)| *found == name).map(|(_, value)| value);
        let Some(bytes) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(SnapshotError::Damaged("a field appears twice").into());
        }
        RESTORED.set(bytes.len());
        let value = rmp_serde::from_slice(bytes);
        RESTORED.set(0);
        Ok(Some(
            value.map_err(|error| SnapshotError::Field { field: name, why: error.to_string() })?,
        ))
    }

    /// Counts the field `name` as read, and notes the reason.
    pub(super) fn skip(&mut self, name: &'static str, warning: String) {
        self.asked.push(name);
        self.warnings.push(warning);
    }

    /// Returns the reasons why fields of the snapshot were not restored, a line each.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the names of unread fields. The UDF had them when the snapshot was taken.
    pub fn left(&self) -> impl Iterator<Item = &'a str> {
        self.fields().map(|(name, _)| name).filter(|name| !self.asked.contains(name))
    }

    fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        // `open` has checked all fields, so none is skipped here.
        self.fields.clone().flatten()
    }
}

/// Iterates over the fields of a snapshot as names and values, up to the first damaged one.
#[derive(Debug, Clone)]
struct Fields<'a>(Rest<'a>);

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(&'a str, &'a [u8]), SnapshotError> {
        let name = self.0.name()?;
        let length = u64::from_le_bytes(self.0.array()?);
        let length = usize::try_from(length)
            .map_err(|_| SnapshotError::Damaged("a length is impossible"))?;
        Ok((name, self.0.take(length)?))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a str, &'a [u8]), SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = Rest(&[]);
        }
        Some(field)
    }
}

/// The rest of the bytes.
#[derive(Debug, Clone)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SnapshotError> {
        let cut = SnapshotError::Damaged("it ends too early");
        let (taken, rest) = self.0.split_at_checked(length).ok_or(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many were taken"))
    }

    fn name(&mut self) -> Result<&'a str, SnapshotError> {
        let length = u16::from_le_bytes(self.array()?);
        let name = self.take(usize::from(length))?;
        std::str::from_utf8(name).map_err(|_| SnapshotError::Damaged("a name is not text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Vec<u8> {
        let mut writer = StateWriter::new("mean");
        writer.field("sum", &1.5).unwrap();
        writer.field("names", &["a", "b"]).unwrap();
        writer.finish()
    }

    fn refusal(bytes: &[u8]) -> String {
        StateReader::open("mean", bytes).expect_err("it is refused").to_string()
    }

    #[test]
    fn fields_come_back_by_name_and_new_ones_are_absent() {
        let snapshot = snapshot();
        let mut reader = StateReader::open("mean", &snapshot).unwrap();
        assert_eq!(reader.field::<Vec<String>>("names").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(reader.field::<i64>("added_since").unwrap(), None);
        assert_eq!(reader.left().collect::<Vec<_>>(), ["sum"]);
        let error = reader.field::<bool>("sum").expect_err("a float is no boolean").to_string();
        assert!(error.starts_with("the snapshot's `sum` does not fit the state"), "{error}");
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused() {
        let mut writer = StateWriter::new("mean");
        writer.field("sum", &1.5).unwrap();
        writer.field("sum", &2.5).unwrap();
        let snapshot = writer.finish();
        let error = StateReader::open("mean", &snapshot).unwrap().field::<f64>("sum");
        assert_eq!(
            error.expect_err("it is no snapshot of ours").to_string(),
            "the snapshot is damaged: a field appears twice"
        );
    }

    #[test]
    fn what_is_no_snapshot_of_this_udf_is_refused_by_name() {
        assert_eq!(refusal(b"{}"), "these 2 bytes are not a snapshot of a UDF of this kit");
        let mut newer = snapshot();
        newer[4] = 9;
        assert_eq!(
            refusal(&newer),
            "the snapshot has format 9, but this UDF reads formats up to 1; update the UDF"
        );
        let other = StateWriter::new("sum").finish();
        assert_eq!(refusal(&other), "the snapshot belongs to the UDF `sum`, not to `mean`");
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let whole = snapshot();
        for cut in 0..whole.len() {
            refusal(&whole[..cut]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            refusal(&changed);
            changed[at] ^= 0x21;
            refusal(&changed);
        }
    }
}
