//! The limit of open files, which also limits connections.

use rustix::process::{Resource, getrlimit, setrlimit};

/// The descriptors besides those of connections: the reserve, 64 scrapers, the socket, the log, and
/// those of the UDF.
const OTHERS: u64 = 256;

/// Raises the soft limit to the hard limit, and warns if the hard limit is too low for this many
/// connections.
///
/// The soft limit protects programs that call `select`, which fails for descriptors above 1023. The
/// kit calls `poll`, and starts no other programs that would inherit the limit. Administrators set
/// the hard limit.
pub(super) fn raise(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("cannot raise the limit of open files: {error}");
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
