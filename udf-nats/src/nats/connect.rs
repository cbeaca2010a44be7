//! Connects to the servers, and logs what happens to the connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::{self, ContextBuilder};
use async_nats::{AuthError, Client, ConnectErrorKind, ConnectOptions, Event};

use super::connection::{Connection, ConnectionError, REQUEST_TIMEOUT};
use super::credentials::Login;

/// The oldest server with what the fence and the consumers need.
pub const OLDEST: (u64, u64) = (2, 11);

/// A connection to the servers. It connects again by itself after an interruption.
#[derive(Debug, Clone)]
pub struct Session {
    /// The connection.
    pub client: Client,
    /// The interface of JetStream over this connection.
    pub jetstream: jetstream::Context,
    /// What precedes the subject of a key that is written: nothing, or the prefix of the interface
    /// of another domain or account, with a dot.
    pub(super) key_prefix: String,
    timeout: Duration,
    refused: Refused,
}

/// The last request that the server has refused for a lack of permission, and when. The server does
/// not answer such a request: it reports this to the connection.
type Refused = Arc<Mutex<Option<(String, Instant)>>>;

impl Connection {
    /// Connects once. `name` is the name of the client in the monitoring of the server.
    ///
    /// # Errors
    /// If no server answers, or if it refuses the client.
    pub async fn connect(&self, name: &str) -> Result<Session, ConnectionError> {
        let servers = self.servers_text();
        let addresses = self.addresses()?;
        let login = self.login()?;
        // A file that is unusable at the start is an error, and later a line of the log.
        login.answer(&[])?;
        let timeout = self.timeout.unwrap_or(REQUEST_TIMEOUT);
        let refused = Refused::default();
        let options = self.options(login.clone(), name, Arc::clone(&refused));
        let options = options.request_timeout(Some(timeout));
        let client = options.connect(addresses).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectionError::Refused { servers: servers.clone(), why: format!(" {login}") }
            }
            ConnectErrorKind::Tls => {
                ConnectionError::Tls { servers: servers.clone(), why: causes(&error) }
            }
            // The answer of a server without TLS is no message of TLS.
            _ if causes(&error).contains("corrupt message") => {
                let why = "the server does not speak TLS on this port".to_owned();
                ConnectionError::Tls { servers: servers.clone(), why }
            }
            _ if is_certificate(&error) => {
                ConnectionError::Tls { servers: servers.clone(), why: causes(&error) }
            }
            _ => ConnectionError::Unreachable { servers: servers.clone(), why: causes(&error) },
        })?;
        let builder = ContextBuilder::new().timeout(timeout).ack_timeout(timeout);
        let prefix = match (&self.domain, &self.api_prefix) {
            (_, Some(prefix)) => Some(prefix.trim_end_matches('.').to_owned()),
            (Some(domain), None) => Some(format!("$JS.{domain}.API")),
            (None, None) => None,
        };
        let jetstream = match &prefix {
            Some(prefix) => builder.api_prefix(prefix).build(client.clone()),
            None => builder.build(client.clone()),
        };
        let key_prefix = prefix.map(|prefix| format!("{prefix}.")).unwrap_or_default();
        Ok(Session { client, jetstream, key_prefix, timeout, refused })
    }

    fn options(&self, login: Login, name: &str, refused: Refused) -> ConnectOptions {
        let mut options = match login {
            Login::OfUrl => ConnectOptions::new(),
            login => ConnectOptions::with_auth_callback(move |nonce| {
                let auth = login.answer(&nonce);
                async move {
                    auth.map_err(|error| {
                        tracing::error!("cannot authenticate: {error}");
                        AuthError::new(error)
                    })
                }
            }),
        };
        if let Some(path) = &self.tls.authorities {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.tls.client {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if self.tls.is_required {
            options = options.require_tls(true);
        }
        if self.tls.is_first {
            options = options.tls_first();
        }
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        let servers = self.servers_text();
        options.name(format!("udf {name}")).event_callback(move |event| {
            if let Event::ServerError(error) = &event
                && let text = error.to_string()
                && text.to_lowercase().contains("permissions violation")
            {
                let refusal = Some((text, Instant::now()));
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
            }
            log(&event, &servers);
            async {}
        })
    }
}

impl Session {
    /// Returns whether the connection stands at this moment.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Returns the text for a request that was not answered in time.
    pub(super) fn unanswered(&self, what: &str) -> String {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        // An older one belongs to another request.
        let latest = 2 * self.timeout;
        match refused.filter(|(_, at)| at.elapsed() < latest) {
            Some((why, _)) => {
                format!("the server has refused it ({why}): give the user this permission")
            }
            None => format!("the server did not {what} in time"),
        }
    }

    /// Returns the version of the server, such as `2.11.4`.
    pub fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Returns why the server is too old, if it is.
    pub fn too_old(&self) -> Option<String> {
        let version = self.version();
        let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u64>().ok());
        let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
        let is_new = major.zip(minor).is_none_or(|version| version >= OLDEST);
        (!is_new).then(|| {
            format!(
                "the server has version {version}, and {}.{} is the oldest that keeps two writers apart in a cluster; \
                 update the server",
                OLDEST.0, OLDEST.1
            )
        })
    }
}

fn log(event: &Event, servers: &str) {
    match event {
        Event::Connected => tracing::info!("connected to {servers}"),
        Event::Disconnected => {
            tracing::warn!("the connection to {servers} is lost; connecting again");
        }
        Event::LameDuckMode => {
            tracing::info!("the server is about to shut down; another one takes over");
        }
        Event::SlowConsumer(_) => tracing::warn!(
            "messages arrived faster than they were handled, and some were dropped; they are read again"
        ),
        Event::ServerError(error) => tracing::warn!("the server reports: {error}"),
        Event::ClientError(error) => tracing::warn!("cannot connect to {servers}: {error}"),
        event => tracing::debug!("{event}"),
    }
}

/// Returns an error with its causes.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors already hold the text of their cause.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Returns whether the handshake of TLS has failed, which looks like any other error of a socket.
fn is_certificate(error: &dyn std::error::Error) -> bool {
    let text = causes(error);
    ["certificate", "TLS", "handshake"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("inner")]
        struct Inner;
        assert_eq!(causes(&Outer(Inner)), "outer: inner");
    }
}
