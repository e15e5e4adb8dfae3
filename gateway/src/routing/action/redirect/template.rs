//! Text with placeholders, taken apart once.

use super::{Location, MAX_REDIRECT_PART_BYTES, RedirectError};

/// A part of the request's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    Protocol,
    Host,
    Port,
    /// Without its first `/`.
    Path,
    Query,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(Box<str>),
    Of(Placeholder),
}

/// Text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Segment>);

/// What a part of a redirect may contain.
struct Part {
    name: &'static str,
    placeholders: &'static [Placeholder],
    allowed: &'static str,
    /// What is refused besides `#` and what is not visible ASCII, with what to do about it.
    forbidden: &'static [(char, &'static str)],
}

/// ALB: "use in the hostname": host and path.
const HOST: Part = Part {
    name: "host",
    placeholders: &[Placeholder::Host, Placeholder::Path],
    allowed: "`#{host}` and `#{path}`",
    forbidden: &[
        ('/', "; the path is a part of its own"),
        (':', "; the port is a part of its own"),
        ('?', "; the query is a part of its own"),
        ('@', ""),
    ],
};

const PATH: Part = Part {
    name: "path",
    placeholders: &[Placeholder::Host, Placeholder::Port, Placeholder::Path],
    allowed: "`#{host}`, `#{port}` and `#{path}`",
    forbidden: &[('?', "; the query is a part of its own")],
};

const QUERY: Part = Part {
    name: "query",
    placeholders: &[
        Placeholder::Protocol,
        Placeholder::Host,
        Placeholder::Port,
        Placeholder::Path,
        Placeholder::Query,
    ],
    allowed: "`#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`",
    forbidden: &[],
};

impl Placeholder {
    fn named(name: &str) -> Option<Self> {
        match name {
            "protocol" => Some(Self::Protocol),
            "host" => Some(Self::Host),
            "port" => Some(Self::Port),
            "path" => Some(Self::Path),
            "query" => Some(Self::Query),
            _ => None,
        }
    }
}

impl Template {
    pub(super) fn host(text: &str) -> Result<Self, RedirectError> {
        if text.is_empty() {
            return Err(RedirectError::Empty(HOST.name));
        }
        Self::parse(text, &HOST)
    }

    pub(super) fn path(text: &str) -> Result<Self, RedirectError> {
        let template = Self::parse(text, &PATH)?;
        if !text.starts_with('/') {
            return Err(RedirectError::RelativePath(text.to_owned()));
        }
        Ok(template)
    }

    pub(super) fn query(text: &str) -> Result<Self, RedirectError> {
        if text.starts_with('?') {
            return Err(RedirectError::Character {
                part: QUERY.name,
                character: '?',
                hint: " before it; it is written without",
            });
        }
        Self::parse(text, &QUERY)
    }

    fn parse(text: &str, part: &Part) -> Result<Self, RedirectError> {
        let (name, length) = (part.name, text.len());
        if length > MAX_REDIRECT_PART_BYTES {
            return Err(RedirectError::TooLong { part: name, length });
        }
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("#{") {
            segments.extend(literal(before, part)?);
            let Some((inside, following)) = after.split_once('}') else {
                return Err(RedirectError::Unclosed {
                    part: name,
                    found: after.to_owned(),
                });
            };
            let placeholder = Placeholder::named(inside).filter(|found| part.placeholders.contains(found));
            segments.push(Segment::Of(placeholder.ok_or_else(|| {
                RedirectError::Placeholder {
                    part: name,
                    found: format!("#{{{}}}", inside.escape_debug()),
                    allowed: part.allowed,
                }
            })?));
            rest = following;
        }
        segments.extend(literal(rest, part)?);
        Ok(Self(segments))
    }

    /// Whether it is this text, then these placeholders, and nothing else.
    pub(super) fn is_only(&self, text: &str, placeholders: &[Placeholder]) -> bool {
        let text = (!text.is_empty()).then(|| Segment::Text(text.into()));
        let expected = text
            .into_iter()
            .chain(placeholders.iter().copied().map(Segment::Of));
        self.0.iter().cloned().eq(expected)
    }

    pub(super) fn expand(&self, from: &Location<'_>, url: &mut Vec<u8>) {
        for segment in &self.0 {
            match segment {
                Segment::Text(text) => url.extend_from_slice(text.as_bytes()),
                Segment::Of(Placeholder::Protocol) => url.extend_from_slice(from.scheme.as_str().as_bytes()),
                Segment::Of(Placeholder::Host) => url.extend_from_slice(from.host),
                Segment::Of(Placeholder::Port) => {
                    let port = from.port.unwrap_or(from.scheme.default_port());
                    url.extend_from_slice(port.to_string().as_bytes());
                }
                Segment::Of(Placeholder::Path) => {
                    url.extend_from_slice(from.path.strip_prefix(b"/").unwrap_or(from.path));
                }
                Segment::Of(Placeholder::Query) => url.extend_from_slice(from.query),
            }
        }
    }
}

fn literal(text: &str, part: &Part) -> Result<Option<Segment>, RedirectError> {
    let hint = |character: char| match part.forbidden.iter().find(|(found, _)| *found == character) {
        Some((_, hint)) => Some(*hint),
        None if character == '#' => Some(""),
        None if !character.is_ascii_graphic() => Some("; write it percent-encoded"),
        None => None,
    };
    if let Some((character, hint)) = text.chars().find_map(|c| hint(c).map(|hint| (c, hint))) {
        return Err(RedirectError::Character {
            part: part.name,
            character,
            hint,
        });
    }
    Ok((!text.is_empty()).then(|| Segment::Text(text.into())))
}
