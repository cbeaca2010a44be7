//! What the UDFs of all partitions have in common.

use std::fmt;
use std::sync::Arc;

use udf_host::{Error, Interface};
use udf_proto::{EdgeType, Info, Init};
use udf_text::line_protocol::Grouping;
use udf_text::options::{self, OptionsError};

/// Creates a connection with a UDF. Called once for its description, and for each start.
pub type Connect = dyn Fn() -> Box<dyn Interface> + Send + Sync;

/// A UDF with its options.
#[derive(Clone)]
#[non_exhaustive]
pub struct Program {
    /// Creates a connection with the UDF.
    pub connect: Arc<Connect>,
    /// The edges and options of the UDF.
    pub info: Info,
    /// The options, the name of the task, and the name of the UDF.
    pub init: Init,
    /// The grouping of the points.
    pub grouping: Grouping,
    /// The database of all points. Defaults to `telegraf`.
    pub database: String,
    /// The retention policy of all points. Defaults to `autogen`.
    pub retention_policy: String,
    /// Whether the UDF may send points from threads of its own. Their place in the output differs
    /// from run to run, so after a fault, lines may be lost or doubled. Defaults to `false`.
    pub may_use_threads: bool,
}

/// Why a UDF cannot run on partitions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The UDF does not start, or does not describe itself.
    #[error(transparent)]
    Udf(#[from] Error),
    /// The options do not fit the UDF.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The UDF wants or provides batches.
    #[error(
        "the UDF {0} batches, and `udf nats` runs UDFs that want and provide a stream: partitions \
         have no windows that cut batches"
    )]
    Batches(&'static str),
}

impl Program {
    /// Starts the UDF once to ask for its edges and options, and checks `options`, each
    /// `name=value`. `name` is the name of the UDF, and `task` the name of its task.
    ///
    /// # Errors
    /// If the UDF fails, if the options do not fit, or if the UDF wants or provides batches.
    pub fn new(
        connect: Arc<Connect>,
        task: &str,
        name: &str,
        options: &[String],
        grouping: Grouping,
    ) -> Result<Self, ProgramError> {
        let udf = connect();
        udf.open()?;
        let info = udf.info()?;
        udf.close()?;
        if info.wants == EdgeType::Batch {
            return Err(ProgramError::Batches("wants"));
        }
        if info.provides == EdgeType::Batch {
            return Err(ProgramError::Batches("provides"));
        }
        let options = options::parse(&info, options)?;
        let init = Init { options, task_id: task.to_owned(), node_id: name.to_owned() };
        Ok(Program {
            connect,
            info,
            init,
            grouping,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            may_use_threads: false,
        })
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("init", &self.init).finish_non_exhaustive()
    }
}
