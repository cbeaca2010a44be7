//! The colors of a picture, light and dark.

use std::fmt::Write;

use crate::settings::Theme;

/// What a color is for. The colors of one set differ, so that the style sheet of
/// [`Theme::Auto`] can replace each by its dark one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Background,
    Text,
    Muted,
    Grid,
    Axis,
    /// An input series.
    Input(usize),
    /// An output series.
    Output(usize),
}

const INPUTS: [(u32, u32); 4] =
    [(0x6b7f99, 0x8b9fb9), (0x9a8a6a, 0xb9a987), (0x6a9a8a, 0x87b9a9), (0x9a6a8f, 0xb987ae)];

const OUTPUTS: [(u32, u32); 6] = [
    (0xd1480f, 0xff8a4c),
    (0x0f6fd1, 0x55a8ff),
    (0x22863a, 0x4fc46a),
    (0x8a3ffc, 0xb98bff),
    (0xb8860b, 0xe3b341),
    (0xc2185b, 0xff6fa5),
];

impl Role {
    /// Returns the light and the dark color.
    fn colors(self) -> (u32, u32) {
        match self {
            Role::Background => (0xffffff, 0x16181d),
            Role::Text => (0x1c1e21, 0xe4e6ea),
            Role::Muted => (0x5c6470, 0x9aa3af),
            Role::Grid => (0xe6e8eb, 0x2b2f36),
            Role::Axis => (0xa9b0b8, 0x59606b),
            Role::Input(place) => INPUTS[place % INPUTS.len()],
            Role::Output(place) => OUTPUTS[place % OUTPUTS.len()],
        }
    }

    pub(crate) fn color(self, theme: Theme) -> (u8, u8, u8) {
        let (light, dark) = self.colors();
        let [_, red, green, blue] = if theme == Theme::Dark { dark } else { light }.to_be_bytes();
        (red, green, blue)
    }
}

/// Returns a style sheet that replaces light colors by dark ones where the viewer prefers them.
pub(crate) fn auto() -> String {
    let fixed = [Role::Background, Role::Text, Role::Muted, Role::Grid, Role::Axis];
    let inputs = (0..INPUTS.len()).map(Role::Input);
    let outputs = (0..OUTPUTS.len()).map(Role::Output);
    let mut style = "@media (prefers-color-scheme: dark) {".to_owned();
    for (light, dark) in fixed.into_iter().chain(inputs).chain(outputs).map(Role::colors) {
        let _ = write!(style, "[fill=\"#{light:06X}\"]{{fill:#{dark:06x}}}");
        let _ = write!(style, "[stroke=\"#{light:06X}\"]{{stroke:#{dark:06x}}}");
    }
    style.push('}');
    style
}
