//! Errors about exhausted resources of the system. Each names the resource and the limit to raise.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// Converts a system error, for `map_err`. `failed` names the operation that failed.
pub(crate) fn of(failed: &str) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{failed}: {}", text(&error)))
}

/// Returns the text of an error, with the limit to raise if a resource is exhausted.
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

/// Returns whether the error means that there are no descriptors left.
pub(crate) fn is_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Returns the remedy for an error about an exhausted resource.
fn advice(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some("raise LimitNOFILE or ulimit -n"),
        Errno::NFILE => Some("raise the system limit fs.file-max"),
        Errno::AGAIN => Some("raise TasksMax or ulimit -u"),
        Errno::NOMEM | Errno::NOBUFS => Some("raise MemoryMax or ulimit -v"),
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
