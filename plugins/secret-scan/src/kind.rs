//! Kinds of secrets, in the order of their names.

/// What a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `sk-ant-..`
    Anthropic,
    /// `AKIA..`, `ASIA..`
    AwsAccessKey,
    /// 13 to 19 digits with a known beginning and a right check digit.
    CreditCard,
    /// `ghp_..`, `gho_..`, `ghu_..`, `ghs_..`, `ghr_..`, `github_pat_..`
    Github,
    /// `glpat-..`
    Gitlab,
    /// `AIza..`
    GoogleApiKey,
    /// `hf_..`
    HuggingFace,
    /// Three parts, of which two begin as base64url of `{"`.
    Jwt,
    /// `npm_..`
    Npm,
    /// `sk-..`, `sk-proj-..`
    Openai,
    /// `-----BEGIN .. PRIVATE KEY-----`
    PrivateKey,
    /// `SG...`
    Sendgrid,
    /// `xoxb-..` and its sisters.
    Slack,
    /// `sk_live_..`, `rk_live_..`, `sk_test_..`, `rk_test_..`
    Stripe,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 14] = [
        Kind::Anthropic,
        Kind::AwsAccessKey,
        Kind::CreditCard,
        Kind::Github,
        Kind::Gitlab,
        Kind::GoogleApiKey,
        Kind::HuggingFace,
        Kind::Jwt,
        Kind::Npm,
        Kind::Openai,
        Kind::PrivateKey,
        Kind::Sendgrid,
        Kind::Slack,
        Kind::Stripe,
    ];

    /// The word in `secret.kinds`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Anthropic => "anthropic",
            Kind::AwsAccessKey => "aws-access-key",
            Kind::CreditCard => "credit-card",
            Kind::Github => "github",
            Kind::Gitlab => "gitlab",
            Kind::GoogleApiKey => "google-api-key",
            Kind::HuggingFace => "hugging-face",
            Kind::Jwt => "jwt",
            Kind::Npm => "npm",
            Kind::Openai => "openai",
            Kind::PrivateKey => "private-key",
            Kind::Sendgrid => "sendgrid",
            Kind::Slack => "slack",
            Kind::Stripe => "stripe",
        }
    }
}
