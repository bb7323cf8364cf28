//! The inks of charts. Names are those of the CSS tokens, so that pages and pictures agree.

use plotters::style::RGBColor;

/// What a line or area means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Grid,
    Label,
    Done,
    Plan,
    Deadline,
    Running,
    Starting,
    Draining,
    Cpu,
    Wish,
}

impl Ink {
    pub const ALL: [Self; 10] = [
        Self::Grid,
        Self::Label,
        Self::Done,
        Self::Plan,
        Self::Deadline,
        Self::Running,
        Self::Starting,
        Self::Draining,
        Self::Cpu,
        Self::Wish,
    ];

    /// The CSS custom property with its colour.
    pub fn token(self) -> &'static str {
        match self {
            Self::Grid => "--border",
            Self::Label => "--muted",
            Self::Done => "--done",
            Self::Plan => "--plan",
            Self::Deadline => "--deadline",
            Self::Running => "--running",
            Self::Starting => "--starting",
            Self::Draining => "--draining",
            Self::Cpu => "--cpu",
            Self::Wish => "--wish",
        }
    }
}

/// The CSS custom property with all of them, in the order of `Ink::ALL`: one question instead of ten.
pub const INKS: &str = "--inks";

/// A colour for each ink, in the order of `Ink::ALL`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette([RGBColor; Ink::ALL.len()]);

const LIGHT: [u32; 10] =
    [0xdf_e3_e8, 0x56_60_70, 0x24_56_c7, 0x8a_94_a3, 0xb3_26_1e, 0x0b_7a_5c, 0xb9_c4_d0, 0xd9_9a_2b, 0x7a_3f_b0, 0x9a_5b_00];
const DARK: [u32; 10] =
    [0x2a_30_3a, 0xa3_ad_bb, 0x7a_a5_ff, 0x72_7d_8d, 0xff_8a_80, 0x4f_d1_a5, 0x4a_56_66, 0xf0_b4_50, 0xc3_9b_f0, 0xf0_b4_50];

impl Palette {
    pub fn light() -> Self {
        Self(LIGHT.map(rgb))
    }

    pub fn dark() -> Self {
        Self(DARK.map(rgb))
    }

    /// Colours that only stand for their ink: each is used for one ink alone, so that they can be replaced by name.
    pub fn stand_ins() -> Self {
        Self(std::array::from_fn(|place| RGBColor(1, 2, place as u8)))
    }

    /// The page's own colours, as the style sheet's `--inks` lists them. Light ones stand in for the unreadable.
    pub fn read(inks: &str) -> Self {
        let mut inks = inks.split_whitespace();
        Self(LIGHT.map(|light| inks.next().and_then(parse).unwrap_or_else(|| rgb(light))))
    }

    pub fn of(&self, ink: Ink) -> RGBColor {
        self.0[Ink::ALL.iter().position(|one| *one == ink).unwrap_or(0)]
    }
}

fn rgb(hex: u32) -> RGBColor {
    let [_, red, green, blue] = hex.to_be_bytes();
    RGBColor(red, green, blue)
}

fn parse(text: &str) -> Option<RGBColor> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    u32::from_str_radix(digits, 16).ok().map(rgb)
}

/// `#2456c7`, as SVG and CSS write it.
pub fn hex(color: RGBColor) -> String {
    format!("#{:02x}{:02x}{:02x}", color.0, color.1, color.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_lists_all_inks_in_their_order() {
        let sheet = include_str!("../../../style/tokens.css");
        let listed = sheet.split_once("--inks:").and_then(|(_, rest)| rest.split_once(';')).map(|(list, _)| list).unwrap();
        let wanted: Vec<String> = Ink::ALL.iter().map(|ink| format!("var({})", ink.token())).collect();
        assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn unreadable_colours_are_the_light_ones() {
        let dark = DARK.map(|color| hex(rgb(color))).join(" ");
        assert_eq!(Palette::read(&dark), Palette::dark());
        assert_eq!(Palette::read(""), Palette::light());
        assert_eq!(Palette::read("black").of(Ink::Grid), Palette::light().of(Ink::Grid));
    }
}
