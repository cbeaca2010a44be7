//! Errors about what the system has run out of: they name what could not be had, and the limit to raise.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// Makes an error of one of the system, for `map_err`: `failed` says what could not be done.
pub(crate) fn of(failed: &str) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{failed}: {}", text(&error)))
}

/// What an error says, with the limit to raise if the system has run out of something.
pub(crate) fn text(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error_of_it) = cause {
        if let Some(advice) = error_of_it.downcast_ref().and_then(advice) {
            return format!("{error}; {advice}");
        }
        cause = error_of_it.source();
    }
    error.to_string()
}

/// Whether an error of the system says that there is no descriptor left.
pub(crate) fn is_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// What to do about an error of the system that says that it has run out of something.
fn advice(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some("raise LimitNOFILE or ulimit -n"),
        Errno::NFILE => Some("raise the limit of the system, fs.file-max"),
        Errno::AGAIN => Some("raise TasksMax or ulimit -u"),
        Errno::NOMEM | Errno::NOBUFS => Some("give it more memory: MemoryMax, ulimit -v"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_failed_and_the_limit() {
        let says = |errno: Errno| of("no pipe could be made")(errno.into()).to_string();
        assert_eq!(
            says(Errno::MFILE),
            "no pipe could be made: Too many open files (os error 24); raise LimitNOFILE or ulimit -n"
        );
        assert_eq!(
            says(Errno::PERM),
            "no pipe could be made: Operation not permitted (os error 1)"
        );
    }
}
