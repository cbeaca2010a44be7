//! The subcommands `udf man` and `udf completions`: write the files that a package of `udf`
//! installs.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use udf_host::command::{self, Failure};

pub(super) fn man_command() -> Command {
    Command::new("man")
        .about("Write the man pages of udf into a directory")
        .long_about(
            "Write the man pages of udf into a directory: udf.1, and one page for each subcommand.\n\n\
             The directory is created if it does not exist. Pages of the same names are overwritten.",
        )
        .arg(
            Arg::new("directory")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The directory, such as /usr/local/share/man/man1"),
        )
}

pub(super) fn completions_command() -> Command {
    Command::new("completions")
        .about("Print the completions of udf for a shell")
        .after_help(
            "Where shells look for them:\n  \
             bash  ~/.local/share/bash-completion/completions/udf\n  \
             fish  ~/.config/fish/completions/udf.fish\n  \
             zsh   a file _udf in a directory of $fpath",
        )
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        )
}

pub(super) fn man(matches: &ArgMatches) -> Result<(), Failure> {
    let directory = matches.get_one::<PathBuf>("directory").expect("clap requires a directory");
    write_pages(directory).map_err(|error| {
        Failure::failed(format!("cannot write man pages to {}: {error}", directory.display()))
    })
}

fn write_pages(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(super::command(), directory)
}

pub(super) fn completions(matches: &ArgMatches) -> Result<(), Failure> {
    let shell = *matches.get_one::<Shell>("shell").expect("clap requires a shell");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "udf", &mut script);
    command::print(&String::from_utf8(script).expect("help and names of arguments are text"))
}
