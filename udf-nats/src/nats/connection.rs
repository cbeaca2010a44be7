//! How to reach the servers: addresses, credentials and TLS.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;

use super::credentials::{CredentialsError, Login, Secret};

/// The address of a server on the same machine.
const LOCAL: &str = "nats://127.0.0.1:4222";

/// How long a request waits for its answer, if nothing else is set.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach the servers, and how to authenticate.
///
/// ```
/// use udf_nats::nats::{Connection, Login};
///
/// let connection = Connection {
///     servers: vec!["nats://n1,nats://n2".to_owned()],
///     login: Login::Credentials("/etc/udfs/nats.creds".into()),
///     ..Connection::default()
/// };
/// assert_eq!(connection.addresses()?.len(), 2);
/// # Ok::<(), udf_nats::nats::ConnectionError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The servers, as URLs or as `host:port`. An entry may be a list, separated by commas. Without
    /// any, the server on this machine.
    pub servers: Vec<String>,
    /// How to authenticate.
    pub login: Login,
    /// How to encrypt.
    pub tls: Tls,
    /// The JetStream domain, if not that of the server.
    pub domain: Option<String>,
    /// The prefix of the JetStream API of another account.
    pub api_prefix: Option<String>,
    /// The prefix of the subjects for answers, for accounts with permissions for some subjects only.
    pub inbox_prefix: Option<String>,
    /// How long a request waits for its answer. Defaults to [`REQUEST_TIMEOUT`].
    pub timeout: Option<Duration>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether to refuse servers without TLS. A server that requires TLS gets it anyway.
    pub is_required: bool,
    /// Whether TLS begins before the server has greeted.
    pub is_first: bool,
    /// The certificates of the authorities to trust, in place of those of the system.
    pub authorities: Option<PathBuf>,
    /// The certificate of the client, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Why the servers cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The address of a server is invalid.
    #[error("invalid address of a server `{address}`: {why}; write for example nats://host:4222")]
    Address {
        /// The address, without its password.
        address: String,
        /// Why it is invalid.
        why: String,
    },
    /// A file with a secret is unusable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A context is unusable.
    #[error("cannot read the context {}: {why}", path.display())]
    Context {
        /// The path of the context.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The server refuses the credentials.
    #[error(
        "{servers} refuses the login{why}; check the credentials, and the permissions of the user"
    )]
    Refused {
        /// The servers.
        servers: String,
        /// Which login, if any.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS with {servers} fails: {why}")]
    Tls {
        /// The servers.
        servers: String,
        /// What is wrong.
        why: String,
    },
    /// No server answers.
    #[error("cannot connect to {servers}: {why}")]
    Unreachable {
        /// The servers.
        servers: String,
        /// The last error.
        why: String,
    },
}

impl ConnectionError {
    /// Returns whether the servers may answer later.
    pub fn may_pass(&self) -> bool {
        matches!(self, ConnectionError::Unreachable { .. })
    }
}

impl Connection {
    /// Returns the addresses of the servers.
    ///
    /// # Errors
    /// [`ConnectionError::Address`].
    pub fn addresses(&self) -> Result<Vec<ServerAddr>, ConnectionError> {
        let texts = self.servers.iter().flat_map(|list| list.split(',')).map(str::trim);
        let mut texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            texts.push(LOCAL);
        }
        let parsed = texts.into_iter().map(|text| {
            text.parse::<ServerAddr>().map_err(|why| ConnectionError::Address {
                address: without_login(text),
                why: why.to_string(),
            })
        });
        parsed.collect()
    }

    /// Returns the addresses of the servers as text, without passwords.
    pub fn servers_text(&self) -> String {
        let texts = self.servers.iter().flat_map(|list| list.split(',')).map(str::trim);
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).map(without_login).collect();
        if texts.is_empty() { LOCAL.to_owned() } else { texts.join(", ") }
    }

    /// Returns the user and password, or the token, that the URL of a server has.
    pub(super) fn login(&self) -> Result<Login, ConnectionError> {
        if self.login != Login::OfUrl {
            return Ok(self.login.clone());
        }
        let addresses = self.addresses()?;
        let found = addresses.iter().find_map(|address| {
            let user = address.username()?.to_owned();
            Some(match address.password() {
                Some(password) => {
                    let password = Secret::Text(password.to_owned());
                    Login::User { user, password }
                }
                None => Login::Token(Secret::Text(user)),
            })
        });
        Ok(found.unwrap_or_default())
    }
}

/// Returns an address without its user and password.
fn without_login(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(servers: &[&str]) -> Connection {
        Connection {
            servers: servers.iter().map(|&server| server.to_owned()).collect(),
            ..Connection::default()
        }
    }

    #[test]
    fn a_list_of_servers_is_split_and_the_default_is_this_machine() {
        let hosts = |connection: &Connection| -> Vec<_> {
            let addresses = connection.addresses().unwrap();
            addresses.iter().map(|a| format!("{}:{}", a.host(), a.port())).collect()
        };
        assert_eq!(
            hosts(&of(&["nats://n1, n2:4333", "tls://n3"])),
            ["n1:4222", "n2:4333", "n3:4222"]
        );
        assert_eq!(hosts(&of(&[])), ["127.0.0.1:4222"]);
        assert!(matches!(of(&["http://n1"]).addresses(), Err(ConnectionError::Address { .. })));
    }

    #[test]
    fn the_login_of_a_url_is_used_but_not_shown() {
        let connection = of(&["nats://n1", "nats://ann:top@n2"]);
        let ann = Login::User { user: "ann".into(), password: Secret::Text("top".into()) };
        assert!(connection.login().unwrap() == ann);
        assert_eq!(connection.servers_text(), "nats://n1, nats://n2");
        let token = Login::Token(Secret::Text("t0p".into()));
        assert!(of(&["nats://t0p@n1"]).login().unwrap() == token);
        for shown in [format!("{ann:?}"), format!("{token:?}"), format!("{:?}", connection.tls)] {
            assert!(!shown.contains("top") && !shown.contains("t0p"), "{shown}");
        }
        let error = of(&["nats://ann:top@"]).addresses().unwrap_err().to_string();
        assert!(!error.contains("top"), "{error}");
    }
}
