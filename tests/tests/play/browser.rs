//! Tests of the page in a browser.

use std::io::Write;

use serde_json::json;
use tempfile::NamedTempFile;
use udf_tests::program::example;

use crate::driver::{Browser, DOWN, ENTER, Look, SPACE, TAB, UP};
use crate::page::{Play, moving_avg, udf};

crate::tests! {
    a_change_draws_another_picture,
    an_error_appears_at_its_field,
    required_options_start_with_samples,
    without_a_picture_there_is_a_hint,
    the_tickscript_and_the_command_are_copied,
    two_settings_are_compared,
    each_kind_of_option_has_its_control,
    the_page_works_without_a_mouse,
    the_page_fits_a_phone_and_the_dark,
    a_reload_keeps_the_values,
    nothing_is_loaded_from_elsewhere,
    a_page_of_another_site_reaches_nothing,
    ten_thousand_points_are_drawn_soon,
}

/// The field of the option `size`.
const SIZE: &str = "#A-size-0-0";

/// A file with points of two hosts.
fn points(count: u32) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    for number in 0..count {
        let (host, time) = (number % 2, u64::from(number) * 1_000_000_000);
        let value = f64::from(number * 7919 % 1000) / 10.0;
        writeln!(file, "m,host=h{host} x={value},y=-{value} {}", 1_700_000_000_000_000_000 + time)
            .expect("it can be written");
    }
    file
}

fn a_change_draws_another_picture() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    let first = browser.picture(0);
    for part in ["moving_avg", "size=10", "cpu=cpu0", "usage_user", "avg"] {
        assert!(first.contains(part), "no {part}");
    }
    let size = "document.querySelector('figure img').naturalWidth";
    assert!(browser.text(size).parse::<u32>().is_ok_and(|width| width > 400));
    browser.change(|browser| browser.type_into(SIZE, "200"));
    let second = browser.picture(0);
    assert!(second.contains("size=200") && second != first);
    // The whole path of the average differs, not only the title.
    let lines = |svg: &str| svg.split("points=\"").map(str::len).collect::<Vec<_>>();
    assert_ne!(lines(&first), lines(&second));
    browser.change(|browser| browser.click("input[value=cpu]"));
    assert!(!browser.picture(0).contains("cpu=cpu0"), "there are no groups");
    assert!(browser.status().starts_with("Drawn "), "{}", browser.status());
    assert_eq!(browser.console(), [""; 0]);
}

fn an_error_appears_at_its_field() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    let problem = "document.getElementById('A-size-problem').textContent";
    let size = "document.querySelector('#A-size-0-0')";
    assert_eq!(browser.text(problem), "");
    browser.change(|browser| browser.type_into(SIZE, "0"));
    assert_eq!(
        browser.text(problem),
        "`.size(0)`: the argument must be at least 1; write `.size(1)`"
    );
    assert_eq!(browser.text(&format!("{size}.getAttribute('aria-invalid')")), "true");
    let described = browser.text(&format!("{size}.getAttribute('aria-describedby')"));
    assert!(described.contains("A-size-problem"), "{described}");
    let live = "document.getElementById('A-size-problem').getAttribute('aria-live')";
    assert_eq!(browser.text(live), "polite", "a screen reader reads it");
    assert_eq!(browser.text("document.getElementById('A-field-problem').textContent"), "");
    assert_eq!(browser.text(&format!("document.activeElement === {size}")), "true");
    let stale = "document.querySelector('figure').classList.contains('stale')";
    assert_eq!(browser.text(stale), "true", "the old picture is marked");

    browser.change(|browser| browser.type_into(SIZE, "many"));
    let text = browser.text(problem);
    assert!(text.contains("`many` is not a valid INT"), "{text}");
    let script = "document.getElementById('A-tickscript').textContent";
    assert_eq!(browser.text(script), "Fix the errors first.");

    // The UDF skips points without the field, which is no error.
    browser.change(|browser| browser.type_into(SIZE, "3"));
    browser.change(|browser| browser.type_into("#A-field-0-0", "usage"));
    let text = browser.text("document.getElementById('A-field-problem').textContent");
    assert_eq!(text, "no point of the input has the field `usage`");
    let notes = browser.text("document.querySelector('figcaption').textContent");
    assert!(notes.contains("nothing came back"), "{notes}");
    let log = "document.getElementById('log')";
    assert_eq!(browser.text(&format!("{log}.checkVisibility()")), "false", "it is folded");
    browser.click("#texts summary");
    assert!(browser.text(&format!("{log}.textContent")).contains("`usage`"));
    assert_eq!(browser.text(&format!("{log}.checkVisibility()")), "true");
    browser.change(|browser| browser.type_into("#A-field-0-0", "usage_user"));

    browser.change(|browser| browser.type_into(SIZE, "3"));
    assert_eq!((browser.text(problem).as_str(), browser.text(stale).as_str()), ("", "false"));
    assert_eq!(browser.text(&format!("{size}.hasAttribute('aria-invalid')")), "false");
    assert!(browser.picture(0).contains("size=3"));
    assert_eq!(browser.console(), [""; 0]);
}

fn required_options_start_with_samples() {
    let file = points(50);
    let path = file.path().to_str().expect("it is text");
    let tunable = env!("CARGO_BIN_EXE_tunable");
    let averages = example("moving_avg");
    let averages = averages.to_str().expect("it is text");
    let start = ["play", path, "--no-open"];
    for (command, expected) in [
        (moving_avg(&start), "-o field=x -o size=10"),
        (udf(&[&start[..], &["--", averages]].concat()), "-o field=x -o size=10"),
        (udf(&[&start[..], &["-o", "size=3", "--", averages]].concat()), "-o field=x -o size=3"),
        (udf(&[&start[..], &["-o", "times=2", "--", tunable]].concat()), "-o field=x -o times=2"),
    ] {
        let play = Play::start(command);
        let browser = Browser::open(&play.url, &Look::default());
        let command = browser.text("document.getElementById('A-command').textContent");
        assert!(command.contains(&format!(" {expected} --plot ")), "{command}");
        assert_eq!(browser.text("document.querySelectorAll('[aria-invalid]').length"), "0");
        assert!(browser.picture(0).contains("x (input)"));
        assert_eq!(browser.console(), [""; 0]);
    }
    // A value of the user is not replaced, and neither is one that the user removes.
    let play = Play::start(moving_avg(&[&start[..], &["-o", "size=0"]].concat()));
    let browser = Browser::open(&play.url, &Look::default());
    let value = "document.querySelector('#A-size-0-0').value";
    assert_eq!(browser.text(value), "0");
    browser.change(|browser| browser.type_into(SIZE, "2"));
    browser.script(&format!("document.querySelector('{SIZE}').value = ''"));
    browser.change(|browser| browser.type_into("#A-field-0-0", "y"));
    assert_eq!(browser.text(value), "");
}

fn without_a_picture_there_is_a_hint() {
    let file = points(50);
    let path = file.path().to_str().expect("it is text");
    // It refuses each Init.
    let play = Play::start(udf(&["play", path, "--no-open", "--", "cat"]));
    let browser = Browser::open(&play.url, &Look::default());
    let caption = browser.text("document.querySelector('figcaption').textContent");
    assert_eq!(caption, "The picture appears here when the errors are fixed.");
    let image = "document.querySelector('figure img').checkVisibility()";
    assert_eq!(browser.text(image), "false", "there is no empty box");
    let problem = browser.text("document.querySelector('figure .problem').textContent");
    assert_eq!(problem, "the UDF refused its options: replay");
}

fn the_tickscript_and_the_command_are_copied() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    browser.change(|browser| browser.type_into(SIZE, "7"));
    let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    browser.devtools("Browser.grantPermissions", &permissions);
    let copied = |label: &str| {
        browser.click(&format!("button[aria-label='{label}']"));
        browser.wait_for("[...document.querySelectorAll('button')].some((button) => button.textContent === 'Copied')");
        let text = browser.text("await navigator.clipboard.readText()");
        browser.wait_for("[...document.querySelectorAll('button')].every((button) => button.textContent !== 'Copied')");
        text
    };
    assert_eq!(
        copied("Copy the TICKscript"),
        "    |groupBy('cpu')\n    @moving_avg()\n        .field('usage_user')\n        .size(7)\n"
    );
    let command = copied("Copy the Command line");
    assert!(command.contains("/moving_avg replay "), "{command}");
    let expected =
        "cpu.lp -o field=usage_user -o size=7 --group-by cpu --plot moving_avg.svg --utc";
    assert!(command.ends_with(expected), "{command}");
}

fn two_settings_are_compared() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    browser.change(|browser| browser.click("#compare"));
    assert_eq!(browser.text("document.querySelectorAll('figure').length"), "2");
    assert_eq!(browser.text("document.querySelector('#B-size-0-0').value"), "10");
    browser.change(|browser| browser.type_into("#B-size-0-0", "300"));
    assert!(browser.picture(0).contains("size=10") && browser.picture(1).contains("size=300"));
    let beside = "new Set([...document.querySelectorAll('figure')].map((figure) => \
                  figure.getBoundingClientRect().top)).size";
    assert_eq!(browser.text(beside), "1", "they are side by side");
    let scripts = browser.text("document.getElementById('texts').textContent");
    assert!(scripts.contains(".size(10)") && scripts.contains(".size(300)"), "{scripts}");
    browser.change(|browser| browser.type_into("#B-size-0-0", "0"));
    assert!(browser.picture(0).contains("size=10"));
    let stale = "document.querySelectorAll('figure.stale').length";
    assert_eq!(browser.text(stale), "1", "an error in one setting leaves the other");
    browser.click("#tabs button");
    browser.change(|browser| browser.click("#compare"));
    assert_eq!(browser.text("document.querySelectorAll('figure').length"), "1");
    assert!(browser.picture(0).contains("size=10"));
}

fn each_kind_of_option_has_its_control() {
    let file = points(50);
    let start = ["-o", "field=x", "-o", "also=y", "-o", "times=3"];
    let play = Play::of_tunable(file.path(), &start);
    let browser = Browser::open(&play.url, &Look::default());
    let command = || browser.text("document.getElementById('A-command').textContent");
    let is_last = |options: &str| command().ends_with(&format!(" {options} --plot tunable.svg"));
    assert!(is_last("-o field=x -o times=3 -o also=y"), "{}", command());
    // The − and + of a number, of a float and of a duration.
    let stepper = |id: &str, label: &str| format!("div:has(> {id}) > button[aria-label='{label}']");
    browser.change(|browser| browser.click(&stepper("#A-times-0-0", "More")));
    browser.change(|browser| browser.click(&stepper("#A-share-0-0", "Less")));
    browser.change(|browser| browser.keys("#A-shift-0-0", UP));
    browser.change(|browser| browser.click("#A-absolute"));
    let choose = "#A-mode-0-0 option[value=half]";
    browser.change(|browser| browser.click(choose));
    browser.change(|browser| browser.keys("#A-note-0-0", "it's"));
    browser.click("button[aria-label='Add a call of also']");
    browser.change(|browser| browser.press("z"));
    let expected = "-o field=x -o times=4 -o share=1.4 -o mode=half -o shift=1s -o absolute \
                    -o 'note=it'\\''s' -o also=y -o also=z";
    assert!(is_last(expected), "{}", command());
    browser.change(|browser| browser.click("button[aria-label='Remove this call of also']"));
    assert!(is_last("-o also=z"), "{}", command());
    // Two arguments, and a relation between options.
    browser.change(|browser| browser.keys("[id^='A-limits-'][id$='-0']", "1"));
    browser.change(|browser| browser.keys("[id^='A-limits-'][id$='-1']", "2"));
    let problem = browser.text("document.getElementById('A-absolute-problem').textContent");
    assert!(problem.contains("exclude each other"), "{problem}");
    // Each control has a label, and names of fields are suggested.
    let nameless = "[...document.querySelectorAll('input, select')].filter((control) => \
                    !control.labels.length || !control.labels[0].textContent.trim()).length";
    assert_eq!(browser.text(nameless), "0");
    let names =
        "[...document.querySelector('#A-field-0-0').list.options].map(({ value }) => value)";
    assert_eq!(browser.text(names), "x,y");
    let hint = browser.text("document.getElementById('A-times-hint').textContent");
    assert_eq!(hint, "Times that the value is added. Must be from 1 to 1000. Defaults to 1.");
    let hint = browser.text("document.getElementById('A-limits-hint').textContent");
    assert_eq!(hint, "Smallest and greatest value. Not together with .absolute.");
    assert_eq!(browser.console(), [""; 0]);
}

fn the_page_works_without_a_mouse() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    let focus = "document.activeElement.id || document.activeElement.value \
                 || document.activeElement.textContent";
    let mut seen = Vec::new();
    // From the begin of the page to the last element.
    for _ in 0..40 {
        browser.press(TAB);
        let name = browser.text(focus);
        if seen.contains(&name) {
            break;
        }
        let ring = browser.text("getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(ring, "none", "the focus on {name} can be seen");
        match name.as_str() {
            "A-size-0-0" => {
                browser.change(|browser| browser.press(UP));
                browser.change(|browser| browser.press(DOWN));
                browser.change(|browser| browser.press(UP));
            }
            "host" => browser.change(|browser| browser.press(SPACE)),
            "compare" => browser.change(|browser| browser.press(ENTER)),
            _ => {}
        }
        seen.push(name);
    }
    for name in ["A-field-0-0", "A-size-0-0", "A-as-0-0", "*", "cpu", "host", "compare"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} is not in {seen:?}");
    }
    assert!(seen.iter().any(|seen| seen == "Copy"), "{seen:?}");
    assert!(browser.picture(0).contains("size=11"));
    assert_eq!(browser.text("document.querySelectorAll('figure').length"), "2");
    let script = browser.text("document.getElementById('A-tickscript').textContent");
    assert!(script.contains("|groupBy('cpu', 'host')"), "{script}");
}

fn the_page_fits_a_phone_and_the_dark() {
    let play = Play::of_cpu();
    let width = "document.documentElement.scrollWidth";
    let browser = Browser::open(&play.url, &Look { phone: Some(360), is_dark: true });
    assert_eq!(browser.text(width), "360", "nothing is cut off");
    let small = "[...document.querySelectorAll('button, select, input[type=text]')].filter((control) => \
                 control.checkVisibility() && control.getBoundingClientRect().height < 36).length";
    assert_eq!(browser.text(small), "0", "a finger hits each control");
    let drawn = "document.querySelector('figure img').naturalWidth";
    assert!(browser.text(drawn).parse::<u32>().is_ok_and(|width| width <= 360));
    browser.change(|browser| browser.click("#compare"));
    assert_eq!(browser.text(width), "360");
    let dark =
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)";
    assert_eq!(browser.text(dark), "true");
    // The picture follows: its first pixel is dark.
    let pixel = "(() => { const canvas = document.createElement('canvas'); \
                 const context = canvas.getContext('2d'); \
                 context.drawImage(document.querySelector('figure img'), 0, 0); \
                 return context.getImageData(2, 2, 1, 1).data[0] })()";
    assert!(
        browser.text(pixel).parse::<u32>().is_ok_and(|red| red < 60),
        "{}",
        browser.text(pixel)
    );
}

fn a_reload_keeps_the_values() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    browser.change(|browser| browser.type_into(SIZE, "33"));
    browser.change(|browser| browser.click("#compare"));
    browser.change(|browser| drop(browser.script("location.reload()")));
    assert!(browser.picture(0).contains("size=33"));
    assert_eq!(browser.text("document.querySelectorAll('figure').length"), "2");
}

fn nothing_is_loaded_from_elsewhere() {
    let play = Play::of_cpu();
    let browser = Browser::open(&play.url, &Look::default());
    let elsewhere = "performance.getEntriesByType('resource').map(({ name }) => name)\
                     .filter((name) => !name.startsWith(location.href) && !name.startsWith('blob:')\
                     && !name.startsWith('data:'))";
    assert_eq!(browser.text(elsewhere), "");
    assert_eq!(browser.console(), [""; 0], "the policy of the page blocks nothing of it");
}

fn a_page_of_another_site_reaches_nothing() {
    // Another port is another site for the browser.
    let (play, other) = (Play::of_cpu(), Play::of_cpu());
    let browser = Browser::open(&other.url, &Look::default());
    let reached = |url: &str| {
        // The policy of the page would stop the request before the server does.
        browser.devtools("Page.setBypassCSP", &json!({ "enabled": true }));
        browser.change(|browser| drop(browser.script("location.reload()")));
        let script = format!(
            "try {{ const response = await fetch('{url}run', {{ method: 'POST', body: '{{}}', \
             headers: {{ 'content-type': 'application/json' }} }}); return String(response.status) }} \
             catch (error) {{ return error.name }}"
        );
        browser.script(&script).as_str().expect("it is text").to_owned()
    };
    assert_eq!(reached(&other.url), "400", "its own server answers");
    assert_eq!(reached(&play.url), "TypeError", "the browser lets nothing through");
}

fn ten_thousand_points_are_drawn_soon() {
    let file = points(10_000);
    let path = file.path().to_str().expect("it is text");
    let args = ["play", path, "--no-open", "-o", "field=x", "-o", "size=10", "--group-by", "host"];
    let play = Play::start(moving_avg(&args));
    let browser = Browser::open(&play.url, &Look::default());
    let mut taken: Vec<u32> = (20..31)
        .map(|size| {
            browser.change(|browser| browser.type_into(SIZE, &size.to_string()));
            let status = browser.status();
            let digits = status.split(' ').nth(1).and_then(|digits| digits.parse().ok());
            digits.unwrap_or_else(|| panic!("{status}"))
        })
        .collect();
    taken.sort_unstable();
    let median = taken[taken.len() / 2];
    println!("from a change to the picture of 10,000 points: {median} ms (all: {taken:?})");
    // A debug build is several times slower.
    assert!(cfg!(debug_assertions) || median < 300, "{taken:?}");
}
