//! Contexts of the command `nats`: files with the address of the servers and the credentials.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::connection::{Connection, ConnectionError, Tls};
use super::credentials::{Login, Secret};

/// The members of a context that this client understands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    url: String,
    user: String,
    password: String,
    token: String,
    creds: String,
    nkey: String,
    cert: String,
    key: String,
    ca: String,
    tls_first: bool,
    jetstream_domain: String,
    jetstream_api_prefix: String,
    inbox_prefix: String,
    // Members that would change where the client connects to, or as whom.
    nsc: String,
    socks_proxy: String,
    user_jwt: String,
}

/// Reads a context: a file, if `name` has a slash or ends in `.json`, else the context of this name
/// of the command `nats`.
///
/// # Errors
/// [`ConnectionError::Context`].
pub fn context(name: &str) -> Result<Connection, ConnectionError> {
    let path = path(name);
    let failed = |why: String| ConnectionError::Context { path: path.clone(), why };
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    // The text of the error of serde could hold a secret.
    let context: Context = serde_json::from_str(&text).map_err(|error| {
        failed(format!("line {} is not the JSON of a context of `nats`", error.line()))
    })?;
    connection(context).map_err(failed)
}

fn path(name: &str) -> PathBuf {
    if name.contains('/') || name.ends_with(".json") {
        return expand(name);
    }
    let folder = match env::var_os("XDG_CONFIG_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => expand("~/.config"),
    };
    folder.join("nats/context").join(format!("{name}.json"))
}

fn connection(context: Context) -> Result<Connection, String> {
    let unknown = [
        ("nsc", &context.nsc, "creds"),
        ("socks_proxy", &context.socks_proxy, "url"),
        ("user_jwt", &context.user_jwt, "creds"),
    ];
    if let Some((name, _, instead)) = unknown.iter().find(|(_, value, _)| !value.is_empty()) {
        return Err(format!("`{name}` is not supported; use `{instead}`"));
    }
    let file = |text: &str| Some(expand(text)).filter(|_| !text.is_empty());
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let login = if let Some(path) = file(&context.creds) {
        Login::Credentials(path)
    } else if let Some(path) = file(&context.nkey) {
        Login::Nkey(path)
    } else if let Some(token) = text(context.token) {
        Login::Token(Secret::Text(token))
    } else if let Some(user) = text(context.user) {
        Login::User { user, password: Secret::Text(context.password) }
    } else {
        Login::OfUrl
    };
    let client = match (file(&context.cert), file(&context.key)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("`cert` and `key` belong together; add the other one".to_owned()),
    };
    Ok(Connection {
        servers: text(context.url).into_iter().collect(),
        login,
        tls: Tls {
            is_required: false,
            is_first: context.tls_first,
            authorities: file(&context.ca),
            client,
        },
        domain: text(context.jetstream_domain),
        api_prefix: text(context.jetstream_api_prefix),
        inbox_prefix: text(context.inbox_prefix),
        timeout: None,
    })
}

/// Replaces a leading `~` by the home directory.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Connection, ConnectionError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.json");
        fs::write(&path, text).unwrap();
        context(&path.display().to_string())
    }

    #[test]
    fn a_context_of_nats_is_read() {
        let text = r#"{"description": "x", "url": "nats://n1,n2", "socks_proxy": "", "token": "",
            "user": "u", "password": "p", "creds": "/c", "nkey": "", "cert": "/cert", "key": "/key",
            "ca": "/ca", "nsc": "", "jetstream_domain": "hub", "jetstream_api_prefix": "",
            "inbox_prefix": "_I", "color_scheme": "", "tls_first": true}"#;
        let connection = read(text).unwrap();
        assert_eq!(connection.servers, ["nats://n1,n2"]);
        assert!(connection.login == Login::Credentials("/c".into()));
        assert_eq!(connection.tls.client, Some(("/cert".into(), "/key".into())));
        assert_eq!(connection.tls.authorities, Some("/ca".into()));
        assert!(connection.tls.is_first);
        assert_eq!(connection.domain.as_deref(), Some("hub"));
        assert_eq!(connection.api_prefix, None);
        let user = read(r#"{"user": "u", "password": "p"}"#).unwrap();
        let expected = Login::User { user: "u".into(), password: Secret::Text("p".into()) };
        assert!(user.login == expected && user.servers.is_empty());
    }

    #[test]
    fn what_a_context_asks_for_in_vain_is_an_error() {
        for (text, named) in [
            (r#"{"nsc": "nsc://o/a/u"}"#, "`nsc`"),
            (r#"{"socks_proxy": "p"}"#, "`socks_proxy`"),
            (r#"{"cert": "c"}"#, "`key`"),
            ("{\n\"password\": hidden}", "line 2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("c.json"), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
        let error = context("/no/such.json").unwrap_err().to_string();
        assert!(error.contains("/no/such.json"), "{error}");
    }
}
