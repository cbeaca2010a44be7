//! Keeps other pages, other users and other machines away from the page.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;

use crate::http::{Head, Response};

/// Decides who may use the page.
pub(crate) struct Guard {
    /// The names of this server in `Host`.
    hosts: [String; 2],
    /// The secret part of the address of the page.
    pub(crate) token: String,
}

impl Guard {
    pub(crate) fn new(address: SocketAddr) -> io::Result<Self> {
        let hosts = [address.to_string(), format!("localhost:{}", address.port())];
        Ok(Guard { hosts, token: secret()? })
    }

    /// Checks that a request comes from the page, or from the address bar of a browser.
    ///
    /// The check of `Host` stops a page whose own name was changed to the address of this machine.
    /// The check of `Origin` stops requests of other pages.
    ///
    /// # Errors
    /// The response to a request of another page.
    pub(crate) fn check_source(&self, head: &Head) -> Result<(), Response> {
        let forbidden = |text| Err(Response::text("403 Forbidden", text));
        let host = head.host.as_ref().filter(|host| self.hosts.contains(host));
        let Some(host) = host else { return forbidden("the header `Host` is not this server") };
        match &head.origin {
            Some(origin) if *origin != format!("http://{host}") => {
                forbidden("the header `Origin` is not this server")
            }
            _ => Ok(()),
        }
    }

    /// Returns the path of the request below the token, which other users of this machine lack.
    ///
    /// # Errors
    /// The response to a request without the token.
    pub(crate) fn below_token<'h>(&self, head: &'h Head) -> Result<&'h str, Response> {
        let path = head.path.strip_prefix('/').and_then(|path| path.split_once('/'));
        path.filter(|(token, _)| are_equal(token.as_bytes(), self.token.as_bytes()))
            .map(|(_, path)| path)
            .ok_or_else(|| {
                Response::text("404 Not Found", "open the address that the program printed")
            })
    }
}

/// Compares in a time that does not depend on the position of the first difference.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// Returns 128 random bits in hexadecimal digits.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(host: Option<&str>, origin: Option<&str>, path: &str) -> &'static str {
        let guard = Guard {
            hosts: ["127.0.0.1:8080".to_owned(), "localhost:8080".to_owned()],
            token: "5ec2e7".to_owned(),
        };
        let head = Head {
            path: path.to_owned(),
            host: host.map(str::to_owned),
            origin: origin.map(str::to_owned),
            ..Head::default()
        };
        let admitted = guard.check_source(&head).and_then(|()| guard.below_token(&head));
        admitted.map_or_else(|response| response.status, |_| "200 OK")
    }

    #[test]
    fn only_the_page_itself_is_admitted() {
        let host = Some("127.0.0.1:8080");
        for (host, origin, path, expected) in [
            (host, None, "/5ec2e7/", "200 OK"),
            (host, Some("http://127.0.0.1:8080"), "/5ec2e7/run", "200 OK"),
            (Some("localhost:8080"), Some("http://localhost:8080"), "/5ec2e7/", "200 OK"),
            (None, None, "/5ec2e7/", "403 Forbidden"),
            (Some("127.0.0.1"), None, "/5ec2e7/", "403 Forbidden"),
            (Some("127.0.0.1:80"), None, "/5ec2e7/", "403 Forbidden"),
            (Some("evil.example:8080"), None, "/5ec2e7/", "403 Forbidden"),
            (host, Some("null"), "/5ec2e7/", "403 Forbidden"),
            (host, Some("http://evil.example"), "/5ec2e7/", "403 Forbidden"),
            (host, Some("http://localhost:8080"), "/5ec2e7/", "403 Forbidden"),
            (host, Some("https://127.0.0.1:8080"), "/5ec2e7/", "403 Forbidden"),
            (host, None, "/", "404 Not Found"),
            (host, None, "/5ec2e7", "404 Not Found"),
            (host, None, "/5ec2e8/", "404 Not Found"),
            (host, None, "/5ec2e70/", "404 Not Found"),
            (host, None, "//", "404 Not Found"),
            (host, None, "", "404 Not Found"),
        ] {
            assert_eq!(admitted(host, origin, path), expected, "{host:?} {origin:?} {path}");
        }
    }

    #[test]
    fn secrets_differ() {
        let (one, other) = (secret().expect("it is random"), secret().expect("it is random"));
        assert!(one.len() == 32 && one != other);
    }
}
