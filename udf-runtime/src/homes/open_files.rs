//! The limit of open files, which is one of connections, too.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors beside those of the connections: those in reserve, 64 scrapers, the socket, the log, and the UDF's own.
const OTHERS: u64 = 256;

/// Raises the soft limit to the hard one, and warns when that is too low for so many connections.
///
/// The soft limit is there for programs that call `select`, which fails at descriptors over 1023. The kit calls `poll`,
/// and starts no other programs that would inherit the limit. The administrator's limit is the hard one.
pub(super) fn raise(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files was left as it is: {error}");
        limit.current = soft;
    }
    let needed = OTHERS.saturating_add(connections as u64);
    if let Some(descriptors) = limit.current.filter(|descriptors| *descriptors < needed) {
        tracing::warn!(
            "--max-connections {connections} needs {needed} open files, but the limit is {descriptors}: some \
             connections may be refused; set LimitNOFILE={needed} or ulimit -n {needed}, or lower --max-connections"
        );
    }
}
