//! Pictures to look at: `cargo test -p kapacitor-udf-plot gallery -- --ignored`.

use udf_plot::{Groups, Look, Picture, Theme};

use crate::shown::{Made, NOON, SECOND, point};

/// Returns a picture of a noisy input, an average, a band, and flags, in `groups` groups.
pub(crate) fn everything(groups: usize) -> Picture {
    let mut made = Made::new(Groups::First(24), &[], &["usage"]);
    for group in 0..groups {
        let host = format!("web{group:02}");
        let mut average = 40.0;
        for step in 0..600 {
            // Nothing came for a minute and a half.
            if (200..290).contains(&step) {
                continue;
            }
            let time = NOON + i64::from(step) * SECOND;
            let noise = f64::from((step * 7919 + group as i32 * 104_729) % 97) / 97.0 - 0.5;
            let spike = if step % 173 == 60 { 45.0 } else { 0.0 };
            let value =
                40.0 + 20.0 * (f64::from(step) / 60.0 + group as f64).sin() + 12.0 * noise + spike;
            average = average * 0.95 + value * 0.05;
            made.input(point(&host, time, &[("usage", value), ("other", 1.0)]));
            let fields = [
                ("mean", average),
                ("usage_lower", average - 18.0),
                ("usage_upper", average + 18.0),
                ("score", (value - average).abs() / 2000.0),
            ];
            let mut point = point(&host, time, &fields);
            point.fields_bool.insert("anomaly".to_owned(), value > average + 18.0);
            made.output(point);
        }
    }
    made.picture()
}

#[test]
#[ignore = "writes pictures to look at"]
fn gallery() {
    let folder = std::env::temp_dir().join("udf-plot-gallery");
    std::fs::create_dir_all(&folder).unwrap();
    let save = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    for groups in [1, 3, 6, 20] {
        let picture = everything(groups);
        save(&format!("groups-{groups}.svg"), picture.svg(&Look::default()));
        save(&format!("groups-{groups}.txt"), picture.text(100, 40, false));
        save(&format!("groups-{groups}.ansi"), picture.text(100, 40, true));
    }
    let picture = everything(1);
    save("dark.svg", picture.svg(&Look { theme: Theme::Dark, ..Look::default() }));
    save("narrow.svg", everything(6).svg(&Look { width: 340, theme: Theme::Light }));
    println!("{}", folder.display());
}
