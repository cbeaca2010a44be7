//! NATS JetStream: connections, names, and the log.

mod connect;
mod connection;
mod context;
mod credentials;
mod input;
mod log;
mod names;
mod requests;

pub use connect::{OLDEST, Session};
pub use connection::{Connection, ConnectionError, REQUEST_TIMEOUT, Tls};
pub use context::context;
pub use credentials::{CredentialsError, Login, Secret};
pub use input::NatsInput;
pub use log::{NatsLog, SystemClock};
pub(crate) use names::matches;
pub use names::{
    CONFIG, Groups, MOST_PARTITIONS, Names, VERSION, bucket, bucket_stream, check_name, unique,
};
pub use requests::Refusal;
