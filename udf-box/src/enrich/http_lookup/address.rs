//! The address of a look-up.

use std::fmt::Write as _;

use udf_runtime::options::{Help, MustBe, OptionType};
use udf_runtime::{Point, Result};

/// The longest address in bytes. Servers refuse longer ones.
const LONGEST: usize = 8 << 10;

/// An address with the names of tags in braces.
#[derive(Debug)]
pub(super) struct Address {
    raw: String,
    /// A text, and the tag whose value follows it.
    parts: Vec<(String, String)>,
    end: String,
}

impl Address {
    /// Returns the address for a point. Returns `None` if the point lacks a tag, or if a value cannot
    /// be a part of an address.
    pub(super) fn of(&self, point: &Point<'_>) -> Option<String> {
        let mut address = String::with_capacity(self.raw.len() + 20);
        for (text, tag) in &self.parts {
            address.push_str(text);
            let value = point.tag(tag)?;
            // A server takes a segment of dots as the way to another folder.
            if matches!(value, "" | "." | "..") || value.len() > LONGEST {
                return None;
            }
            append(value, &mut address);
        }
        address.push_str(&self.end);
        (address.len() <= LONGEST).then_some(address)
    }
}

/// Appends a value with an escape for each byte that has a meaning in an address (RFC 3986, 2.3).
fn append(value: &str, address: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                address.push(byte.into());
            }
            _ => write!(address, "%{byte:02X}").expect("a string takes all"),
        }
    }
}

/// Returns the address, or the rule that it breaks.
fn parse(raw: &str) -> std::result::Result<Address, &'static str> {
    let after = raw.strip_prefix("http://").ok_or("an address that begins with `http://`")?;
    // A value of a tag must not select the server.
    let server = after.split(['/', '?']).next().unwrap_or_default();
    if server.is_empty() || server.contains(['{', '}', '@']) {
        return Err("an address with the name of a server, without braces and `@`");
    }
    let (mut parts, mut rest) = (Vec::new(), raw);
    while let Some((text, after)) = rest.split_once('{') {
        let (tag, after) = after.split_once('}').ok_or("an address with a `}` for each `{`")?;
        if tag.is_empty() || tag.contains('{') {
            return Err("an address with the name of a tag in each pair of braces");
        }
        parts.push((text.to_owned(), tag.to_owned()));
        rest = after;
    }
    let texts = parts.iter().map(|(text, _)| text.as_str());
    let sample = texts.chain([rest]).collect::<Vec<_>>().join("x");
    if sample.len() > LONGEST || sample.parse::<ureq::http::Uri>().is_err() {
        return Err("a valid address");
    }
    if parts.is_empty() {
        return Err("an address with the name of a tag in braces, such as `{host}`");
    }
    Ok(Address { raw: raw.to_owned(), parts, end: rest.to_owned() })
}

impl OptionType for Address {
    type Raw = String;

    fn from_raw(raw: String) -> Result<Self> {
        parse(&raw).map_err(|rule| MustBe::new(rule).into())
    }

    fn to_raw(&self) -> String {
        self.raw.clone()
    }

    fn help() -> Help {
        Help::new()
            .must_be("an address that begins with `http://` and has the name of a tag in braces")
            .example("http://127.0.0.1:8080/hosts/{host}.json".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use udf_runtime::testing;

    use super::*;

    fn of(raw: &str, host: &str) -> Option<String> {
        let address = parse(raw).unwrap_or_else(|rule| panic!("{raw}: {rule}"));
        let point = testing::point("m", |point| point.tag("host", host).field("v", 1.0));
        address.of(&point.as_point())
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        let (path, query) = ("http://a/{host}.json", "http://a:80?h={host}&i={host}");
        assert_eq!(of(path, "b-1").as_deref(), Some("http://a/b-1.json"));
        assert_eq!(
            of(query, "x&y ü").as_deref(),
            Some("http://a:80?h=x%26y%20%C3%BC&i=x%26y%20%C3%BC")
        );
        assert_eq!(
            of(path, "/../?#\r\n%").as_deref(),
            Some("http://a/%2F..%2F%3F%23%0D%0A%25.json")
        );
        for value in ["..", ".", "", &"x".repeat(9000), &"ü".repeat(4000)] {
            assert_eq!(of(path, value), None);
        }
        assert_eq!(of("http://a/{rack}", "b"), None);
    }

    #[test]
    fn an_address_names_the_server_and_a_tag() {
        let invalid = [
            "",
            "https://a/{host}",
            "http://{host}/",
            "http://?{host}",
            "http:///{host}",
            "http://user:pw@a/{host}",
            "http://a/{host",
            "http://a/{}",
            "http://a/{{host}}",
            "http://a/",
            "http://a/host}",
            "http://a b/{host}",
            "http://a/ {host}",
        ];
        for raw in invalid {
            assert!(parse(raw).is_err(), "{raw}");
        }
    }
}
