//! The page, as one document that loads nothing from elsewhere.

use crate::guard::secret;
use crate::http::Response;

const MARKUP: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = concat!(include_str!("page/form.js"), include_str!("page/page.js"));

/// The headers of every response.
pub(crate) const HEADERS: &str = "\
    Cache-Control: no-store\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// Returns the page. Its policy allows only the style and the script of the page itself, its own
/// requests, and pictures that the script has made.
pub(crate) fn document() -> Response {
    let Ok(nonce) = secret() else {
        return Response::text("500 Internal Server Error", "no random numbers");
    };
    let body = MARKUP.replace("{nonce}", &nonce).replace("{style}", STYLE);
    let body = body.replace("{script}", SCRIPT).into_bytes();
    let headers = format!(
        "Content-Security-Policy: default-src 'none'; script-src 'nonce-{nonce}'; \
         style-src 'nonce-{nonce}'; img-src blob: data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'\r\n"
    );
    Response { status: "200 OK", content_type: "text/html; charset=utf-8", headers, body }
}
