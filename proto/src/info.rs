//! The description that a UDF sends: the edges that it connects, and its options.

use std::collections::BTreeMap;
use std::fmt;

use crate::init::ValueType;
use crate::messages::{self, InfoResponse, OptionInfo};

/// The kind of data on an edge of a task.
///
/// `Display` writes its [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeType {
    /// Single points.
    Stream,
    /// Batches of points.
    Batch,
}

/// The response to an Info request. Kapacitor requests it once, at startup.
///
/// Kapacitor checks every TICKscript against this response. A TICKscript can call only the options
/// in `options`, and each call must have exactly the listed arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The kind of edge that the UDF reads from.
    pub wants: EdgeType,
    /// The kind of edge that the UDF writes to.
    pub provides: EdgeType,
    /// The types of the arguments of every option, by the name of the option. A flag has no
    /// arguments.
    pub options: BTreeMap<String, Vec<ValueType>>,
}

/// An Info response with an unknown kind of edge or an unknown type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InfoError {
    /// `wants` or `provides` is neither STREAM nor BATCH.
    #[error("the UDF's `{member}` is {number}, which is neither STREAM (0) nor BATCH (1)")]
    UnknownEdge {
        /// The member: `wants` or `provides`.
        member: &'static str,
        /// The number in the response.
        number: i32,
    },
    /// An argument of an option has an unknown type.
    #[error(
        "argument {argument} of the UDF's option `{option}` has the type {number}; \
         types are BOOL (0), INT (1), DOUBLE (2), STRING (3) and DURATION (4)"
    )]
    UnknownType {
        /// The name of the option.
        option: String,
        /// The position of the argument, counted from 1.
        argument: usize,
        /// The number in the response.
        number: i32,
    },
}

/// Returns the number of a type in the protocol.
fn number(value_type: ValueType) -> i32 {
    messages::ValueType::from(value_type).into()
}

impl From<Info> for InfoResponse {
    fn from(info: Info) -> Self {
        let options = info.options.into_iter().map(|(name, types)| {
            (name, OptionInfo { value_types: types.into_iter().map(number).collect() })
        });
        InfoResponse {
            wants: messages::EdgeType::from(info.wants).into(),
            provides: messages::EdgeType::from(info.provides).into(),
            options: options.collect(),
        }
    }
}

impl TryFrom<InfoResponse> for Info {
    type Error = InfoError;

    fn try_from(response: InfoResponse) -> Result<Self, InfoError> {
        let edge = |member, number| {
            messages::EdgeType::try_from(number)
                .map(EdgeType::from)
                .map_err(|_| InfoError::UnknownEdge { member, number })
        };
        let mut options = BTreeMap::new();
        for (name, OptionInfo { value_types }) in response.options {
            let types = (1..).zip(&value_types).map(|(argument, &number)| {
                messages::ValueType::try_from(number)
                    .map(ValueType::from)
                    .map_err(|_| InfoError::UnknownType { option: name.clone(), argument, number })
            });
            let types = types.collect::<Result<_, _>>()?;
            options.insert(name, types);
        }
        Ok(Info {
            wants: edge("wants", response.wants)?,
            provides: edge("provides", response.provides)?,
            options,
        })
    }
}

impl From<EdgeType> for messages::EdgeType {
    fn from(edge: EdgeType) -> Self {
        match edge {
            EdgeType::Stream => messages::EdgeType::Stream,
            EdgeType::Batch => messages::EdgeType::Batch,
        }
    }
}

impl From<messages::EdgeType> for EdgeType {
    fn from(edge: messages::EdgeType) -> Self {
        match edge {
            messages::EdgeType::Stream => EdgeType::Stream,
            messages::EdgeType::Batch => EdgeType::Batch,
        }
    }
}

impl EdgeType {
    /// Returns the name in the protocol: `STREAM` or `BATCH`.
    pub fn name(self) -> &'static str {
        messages::EdgeType::from(self).as_str_name()
    }
}

impl fmt::Display for EdgeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
