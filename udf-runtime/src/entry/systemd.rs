//! What systemd hands to a daemon, and is told by it.

use std::io;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// The socket that systemd listens on for us, if it started us by one.
pub(super) fn listener() -> io::Result<Option<UnixListener>> {
    ListenFd::from_env().take_unix_listener(0)
}

/// Tells systemd that connections are accepted.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// Tells systemd that the open connections are being finished.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd was not told: {error}");
    }
}
