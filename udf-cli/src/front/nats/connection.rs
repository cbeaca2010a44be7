//! The arguments of a connection with NATS.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_host::command::Failure;
use udf_nats::nats::{Connection, Login, Secret, Tls, context};
use udf_text::duration;

/// The heading of these arguments in the help.
const HEADING: &str = "Connection";

/// Adds the arguments of a connection.
pub(super) fn args(command: Command) -> Command {
    let arg = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).help_heading(HEADING)
    };
    let path =
        |name, help: &'static str| arg(name, "PATH", help).value_parser(value_parser!(PathBuf));
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help).help_heading(HEADING)
    };
    command.args([
        arg("url", "URLS", "The servers, separated by commas [default: NATS_URL, or nats://127.0.0.1:4222]")
            .alias("server"),
        arg(
            "context",
            "NAME",
            "A context of the command `nats`, by its name or by the path of its file [default: NATS_CONTEXT]",
        ),
        path("creds", "A file with a JWT and the seed of its key [default: NATS_CREDS]"),
        path("nkey", "A file with the seed of an nkey [default: NATS_NKEY]").conflicts_with("creds"),
        arg("user", "NAME", "A user; the password is in --password-file or NATS_PASSWORD [default: NATS_USER]")
            .conflicts_with_all(["creds", "nkey"]),
        path("password-file", "A file with the password of --user").requires("user"),
        path("token-file", "A file with a token [default: the token in NATS_TOKEN]")
            .conflicts_with_all(["creds", "nkey", "user"]),
        flag("tls", "Refuse a server without TLS"),
        flag("tls-first", "Begin TLS before the server has greeted"),
        path("tls-ca", "The certificates of the authorities to trust [default: NATS_CA, or those of the system]"),
        path("tls-cert", "The certificate of this client [default: NATS_CERT]").requires("tls-key"),
        path("tls-key", "The key of the certificate [default: NATS_KEY]").requires("tls-cert"),
        arg("js-domain", "NAME", "The JetStream domain"),
        arg("js-api-prefix", "PREFIX", "The prefix of the JetStream API of another account")
            .conflicts_with("js-domain"),
        arg("inbox-prefix", "PREFIX", "The begin of the subjects for answers [default: _INBOX]"),
        arg("timeout", "DURATION", "How long a request waits for its answer")
            .value_parser(duration::positive)
            .default_value("5s"),
    ])
}

/// Returns the connection that the arguments ask for. An argument precedes a variable of the
/// environment, and a variable precedes a member of the context.
pub(super) fn of(
    matches: &ArgMatches,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Connection, Failure> {
    let text = |name: &str, variable: &str| {
        let given = matches.get_one::<String>(name).cloned();
        given.or_else(|| env(variable))
    };
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let path_or =
        |name: &str, variable: &str| path(name).or_else(|| env(variable).map(PathBuf::from));
    let mut connection = match text("context", "NATS_CONTEXT") {
        Some(name) => context(&name).map_err(|error| Failure::Usage(error.to_string()))?,
        None => Connection::default(),
    };
    if let Some(servers) = text("url", "NATS_URL") {
        connection.servers = vec![servers];
    }
    let given = [path("creds").map(Login::Credentials), path("nkey").map(Login::Nkey)];
    let given = given.into_iter().flatten().next();
    let login = match given {
        None if matches.contains_id("user") => {
            Some(user(matches.get_one("user"), path("password-file"), env)?)
        }
        None => path("token-file").map(|path| Login::Token(Secret::File(path))),
        given => given,
    };
    if let Some(login) = login {
        connection.login = login;
    } else if let Some(login) = login_of(env)? {
        connection.login = login;
    }
    let Tls { is_required, is_first, authorities, client } = &mut connection.tls;
    *is_required |= matches.get_flag("tls");
    *is_first |= matches.get_flag("tls-first");
    if let Some(path) = path_or("tls-ca", "NATS_CA") {
        *authorities = Some(path);
    }
    match (path_or("tls-cert", "NATS_CERT"), path_or("tls-key", "NATS_KEY")) {
        (Some(certificate), Some(key)) => *client = Some((certificate, key)),
        (None, None) => {}
        _ => {
            return Err(Failure::Usage(
                "NATS_CERT and NATS_KEY belong together; set both, or use --tls-cert and --tls-key"
                    .to_owned(),
            ));
        }
    }
    let given = |name| matches.get_one::<String>(name).cloned();
    if let Some(domain) = given("js-domain") {
        (connection.domain, connection.api_prefix) = (Some(domain), None);
    }
    if let Some(prefix) = given("js-api-prefix") {
        (connection.domain, connection.api_prefix) = (None, Some(prefix));
    }
    connection.inbox_prefix = given("inbox-prefix").or(connection.inbox_prefix);
    connection.timeout = matches.get_one::<Duration>("timeout").copied();
    connection.addresses().map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(connection)
}

/// Returns the login in the environment, if any.
fn login_of(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Login>, Failure> {
    if let Some(path) = env("NATS_CREDS") {
        return Ok(Some(Login::Credentials(path.into())));
    }
    if let Some(path) = env("NATS_NKEY") {
        return Ok(Some(Login::Nkey(path.into())));
    }
    if let Some(token) = env("NATS_TOKEN") {
        return Ok(Some(Login::Token(Secret::Text(token))));
    }
    env("NATS_USER").map(|name| user(Some(&name), None, env)).transpose()
}

fn user(
    name: Option<&String>,
    file: Option<PathBuf>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Login, Failure> {
    let user = name.cloned().unwrap_or_default();
    let password = match (file, env("NATS_PASSWORD")) {
        (Some(path), _) => Secret::File(path),
        (None, Some(password)) => Secret::Text(password),
        (None, None) => {
            return Err(Failure::Usage(format!(
                "the user `{user}` needs a password; add --password-file PATH, or set NATS_PASSWORD"
            )));
        }
    };
    Ok(Login::User { user, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &str, env: &[(&str, &str)]) -> Result<Connection, Failure> {
        let command = args_of_a_test();
        let matches = command.try_get_matches_from(args.split_whitespace());
        let env = |name: &str| {
            let found = env.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        of(&matches.map_err(Failure::Arguments)?, &env)
    }

    fn args_of_a_test() -> Command {
        args(Command::new("nats").no_binary_name(true))
    }

    #[test]
    fn an_argument_precedes_the_environment_and_the_environment_a_context() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.json");
        std::fs::write(&file, r#"{"url": "nats://c", "token": "of-context", "ca": "/c/ca"}"#)
            .unwrap();
        let context = file.display().to_string();
        let env =
            [("NATS_CONTEXT", &context[..]), ("NATS_URL", "nats://e"), ("NATS_CREDS", "/e/creds")];

        let connection = parse("", &env[..1]).unwrap();
        assert_eq!(connection.servers, ["nats://c"]);
        assert!(connection.login == Login::Token(Secret::Text("of-context".into())));
        assert_eq!(connection.tls.authorities, Some("/c/ca".into()));

        let connection = parse("", &env).unwrap();
        assert_eq!(connection.servers, ["nats://e"]);
        assert!(connection.login == Login::Credentials("/e/creds".into()));

        let args =
            "--url nats://a,nats://b --user ann --password-file /p --tls-ca /a/ca --timeout 2s";
        let connection = parse(args, &env).unwrap();
        assert_eq!(connection.addresses().unwrap().len(), 2);
        let ann = Login::User { user: "ann".into(), password: Secret::File("/p".into()) };
        assert!(connection.login == ann);
        assert_eq!(connection.tls.authorities, Some("/a/ca".into()));
        assert_eq!(connection.timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_user_needs_a_password_and_a_certificate_its_key() {
        let user = parse("--user ann", &[("NATS_PASSWORD", "p")]).unwrap();
        let expected = Login::User { user: "ann".into(), password: Secret::Text("p".into()) };
        assert!(user.login == expected);
        for (args, env, named) in [
            ("--user ann", &[][..], "NATS_PASSWORD"),
            ("", &[("NATS_USER", "ann")], "NATS_PASSWORD"),
            ("", &[("NATS_CERT", "/c")], "NATS_KEY"),
            ("--url http://x", &[], "http://x"),
            ("--context /no/such.json", &[], "/no/such.json"),
        ] {
            let Err(Failure::Usage(text)) = parse(args, env) else { panic!("{args} is refused") };
            assert!(text.contains(named), "{text}");
        }
        for args in ["--creds a --nkey b", "--tls-cert c", "--password-file p"] {
            assert!(matches!(parse(args, &[]), Err(Failure::Arguments(_))), "{args}");
        }
    }
}
