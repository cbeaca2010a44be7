//! A client of `chromedriver`, which drives a browser without a window.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use udf_tests::process::children;

use crate::page::TIMEOUT;

/// The pause between two looks at the page.
const LOOK: Duration = Duration::from_millis(20);

/// Keys of the WebDriver protocol.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SPACE: &str = " ";
pub(crate) const UP: &str = "\u{e013}";
pub(crate) const DOWN: &str = "\u{e015}";

/// A script that keeps the sources of pictures.
const KEEP_BLOBS: &str = "window.blobs = new Map(); const create = URL.createObjectURL; \
    URL.createObjectURL = (blob) => { const url = create(blob); blobs.set(url, blob); return url; };";

/// Whether the page has shown the result of the last change.
const IDLE: &str = "document.documentElement.dataset.state === 'idle'";

/// One browser at a time: each needs much memory and all processors.
static TURN: Mutex<()> = Mutex::new(());

/// Returns the path of the driver.
pub(crate) fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|place| place.join("chromedriver")).find(|place| place.is_file())
}

/// The look of the browser.
#[derive(Default)]
pub(crate) struct Look {
    /// The width of a phone, instead of a window of 1280 pixels.
    pub(crate) phone: Option<u32>,
    pub(crate) is_dark: bool,
}

/// A browser with one page.
pub(crate) struct Browser {
    driver: Child,
    address: String,
    session: String,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser, and opens this address.
    pub(crate) fn open(url: &str, look: &Look) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut driver = Command::new(program().expect("there is a driver"))
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let stdout = BufReader::new(driver.stdout.take().expect("stdout is piped"));
        let mut lines = stdout.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let address = format!("127.0.0.1:{}", port.expect("the driver prints its port"));
        let mut browser =
            Browser { driver, address, session: String::new(), _profile: profile, _turn: turn };
        let session = browser.send("POST", "/session", &browser.capabilities(look));
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("/session/{id}");
        let scheme = if look.is_dark { "dark" } else { "light" };
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", &json!({ "features": feature }));
        let source = json!({ "source": KEEP_BLOBS });
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", &source);
        browser.command("/url", &json!({ "url": url }));
        browser.wait_for(IDLE);
        browser
    }

    fn capabilities(&self, look: &Look) -> Value {
        let profile = self._profile.path().display();
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={profile}"),
        ];
        let mut options = json!({ "args": args });
        if let Some(width) = look.phone {
            let metrics = json!({ "width": width, "height": 740, "pixelRatio": 2 });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let logs = json!({ "browser": "ALL" });
        json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": logs,
        } } })
    }

    /// Sends a command to the driver. Returns its value.
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.exchange(method, path, body);
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        // The driver keeps the connection open.
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.send("POST", &format!("{}{path}", self.session), body)
    }

    /// Sends a command of the protocol of the developer tools.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    /// Runs a script in the page, and returns its value. The script can wait with `await`.
    pub(crate) fn script(&self, script: &str) -> Value {
        let script = format!("return (async () => {{ {script} }})();");
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Returns the value of an expression as text.
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.script(&format!("return String({expression})"));
        value.as_str().expect("it is text").to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&self, expression: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while self.text(&format!("Boolean({expression})")) != "true" {
            assert!(Instant::now() < deadline, "never true: {expression}\n{}", self.status());
            thread::sleep(LOOK);
        }
    }

    /// Does something that changes a value, and waits until the page has shown the result.
    pub(crate) fn change(&self, change: impl FnOnce(&Self)) {
        self.script("delete document.documentElement.dataset.state");
        change(self);
        self.wait_for(IDLE);
    }

    fn element(&self, selector: &str) -> String {
        let found =
            self.command("/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        id.expect("an element has an id").to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        self.command(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Sends keys to an element, behind its text.
    pub(crate) fn keys(&self, selector: &str, keys: &str) {
        let path = format!("/element/{}/value", self.element(selector));
        self.command(&path, &json!({ "text": keys }));
    }

    /// Replaces the text of an element, as a user does.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        self.script(&format!(
            "const field = document.querySelector('{selector}'); field.focus(); field.select()"
        ));
        text.chars().for_each(|key| self.press(&key.to_string()));
    }

    /// Sends a key to the element with the focus.
    pub(crate) fn press(&self, key: &str) {
        let actions = json!([
            { "type": "keyDown", "value": key },
            { "type": "keyUp", "value": key },
        ]);
        let source = json!([{ "type": "key", "id": "keyboard", "actions": actions }]);
        self.command("/actions", &json!({ "actions": source }));
    }

    /// Returns the messages of the console of the browser.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// Returns the text about the last run.
    pub(crate) fn status(&self) -> String {
        self.text("document.getElementById('status').textContent")
    }

    /// Returns the source of the picture of a setting, counted from 0.
    pub(crate) fn picture(&self, setting: u32) -> String {
        let script = format!(
            "return blobs.get(document.querySelectorAll('figure img')[{setting}].src).text()"
        );
        self.script(&script).as_str().expect("it is text").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let browsers = children(self.driver.id());
        if !self.session.is_empty() {
            // Ends the browser, too. Without an answer, the driver has ended already.
            let _ = self.exchange("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        for browser in browsers.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            // Fails if the browser has ended, as it should.
            let _ = kill_process(browser, Signal::KILL);
        }
    }
}
