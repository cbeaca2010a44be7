//! The limit of open files, which also limits connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors besides those of connections: the reserve, 64 scrapers, the socket, the log, and
/// those of the UDF.
const OTHERS: u64 = 256;

/// Raises the soft limit to the hard limit, and warns if the hard limit is too low for this many
/// connections, with so many descriptors `each`.
///
/// The soft limit protects programs that call `select`, which fails for descriptors above 1023, and
/// programs that close all possible descriptors. The kit calls `poll`. Other programs that it starts
/// get the former limit: see [`lower`]. Administrators set the hard limit.
pub(super) fn raise(connections: usize, each: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("cannot raise the limit of open files: {error}");
        limit.current = soft;
    }
    let needed = (connections as u64).saturating_mul(each).saturating_add(OTHERS);
    if let Some(descriptors) = limit.current.filter(|descriptors| *descriptors < needed) {
        tracing::warn!(
            "--max-connections {connections} needs {needed} open files, but the limit is {descriptors}: some \
             connections may be refused; set LimitNOFILE={needed} or ulimit -n {needed}, or lower --max-connections"
        );
    }
}

/// Returns the soft limit. `None` is no limit.
pub(super) fn soft() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Lowers the soft limit again, for a program that this process becomes.
pub(super) fn lower(soft: u64) -> rustix::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..limit })
}
