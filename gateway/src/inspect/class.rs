//! The classes of requests and the reasons for them, with ALB's names (the desync mitigation modes).

use crate::config::DesyncMode;

/// How far a request is from RFC 9112, in ascending order of danger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Compliant,
    /// Deviates, in a way that has one reading.
    Acceptable,
    /// Another party might see other bounds or another target.
    Ambiguous,
    /// There is no telling where it ends, or it is made to deceive.
    Severe,
}

impl Class {
    /// As in ALB's access log; a compliant request has none.
    pub(crate) fn label(self) -> Option<&'static str> {
        match self {
            Self::Compliant => None,
            Self::Acceptable => Some("Acceptable"),
            Self::Ambiguous => Some("Ambiguous"),
            Self::Severe => Some("Severe"),
        }
    }

    /// ALB's table: what a mode lets through.
    pub(crate) fn passes(self, mode: DesyncMode) -> bool {
        match mode {
            DesyncMode::Monitor => true,
            DesyncMode::Defensive => self < Self::Severe,
            DesyncMode::Strictest => self == Self::Compliant,
        }
    }
}

macro_rules! reasons {
    ($best:ident, $best_class:ident, $best_text:literal; $($name:ident, $class:ident, $text:literal;)*) => {
        /// Why a request is of its class.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Reason {
            #[default]
            $best,
            $($name,)*
        }

        impl Reason {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[Self::$best, $(Self::$name,)*];

            pub(crate) fn class(self) -> Class {
                match self {
                    Self::$best => Class::$best_class,
                    $(Self::$name => Class::$class,)*
                }
            }

            /// ALB's reason code.
            pub(crate) fn code(self) -> &'static str {
                match self {
                    Self::$best => stringify!($best),
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// For the client whose request is refused.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    Self::$best => $best_text,
                    $(Self::$name => $text,)*
                }
            }

            pub(crate) fn from_number(number: u8) -> Self {
                match number {
                    $(number if number == Self::$name as u8 => Self::$name,)*
                    _ => Self::$best,
                }
            }
        }
    };
}

reasons! {
    Compliant, Compliant, "";
    GetHeadZeroContentLength, Acceptable, "a GET or HEAD request has a Content-Length";
    NonCompliantHeader, Acceptable, "a header has characters that it must not have";
    NonCompliantVersion, Acceptable, "the HTTP version is not a valid one";
    NonCrLfLineTermination, Acceptable, "a line of the head does not end in CR LF";
    SpaceInUri, Acceptable, "the request's URI has a space in it";
    AmbiguousUri, Ambiguous, "the request's URI has characters that it must not have";
    BothTeClPresent, Ambiguous, "the request has both Transfer-Encoding and Content-Length";
    DuplicateContentLength, Ambiguous, "the request has more than one Content-Length";
    EmptyHeader, Ambiguous, "a header has no name";
    MultilineHeader, Ambiguous, "a header spans several lines";
    SuspiciousHeader, Ambiguous, "a header resembles Transfer-Encoding or Content-Length";
    UndefinedContentLengthSemantics, Ambiguous, "a GET or HEAD request has a body";
    UndefinedTransferEncodingSemantics, Ambiguous, "the request has a Transfer-Encoding where none has a meaning";
    BadContentLength, Severe, "the Content-Length is not a number";
    BadHeader, Severe, "a line of the head is not a header";
    BadMethod, Severe, "the request's method is malformed";
    BadTransferEncoding, Severe, "the Transfer-Encoding is malformed";
    BadUri, Severe, "the request's URI is malformed";
    BadVersion, Severe, "the HTTP version is malformed";
    MissingUri, Severe, "the request has no URI";
    MultipleContentLength, Severe, "the request has several Content-Lengths that differ";
    MultipleTransferEncodingChunked, Severe, "the request is chunked more than once";
}
