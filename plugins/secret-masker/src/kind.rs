//! Kinds of secrets, in the order of their names.

/// What a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `AGE-SECRET-KEY-1..`
    Age,
    /// `sk-ant-..`
    Anthropic,
    /// `AKIA..`, `ASIA..`
    AwsAccessKey,
    /// 40 characters behind `aws_secret_access_key` or `SecretAccessKey`.
    AwsSecretKey,
    /// `AccountKey=..`
    AzureStorage,
    /// `Bearer ..`
    Bearer,
    /// 13 to 19 digits with a known beginning and a right check digit; not a credential, so only counted.
    CreditCard,
    /// `dop_v1_..` and its sisters.
    DigitalOcean,
    /// `dckr_pat_..`
    Docker,
    /// `figd_..`
    Figma,
    /// `ghp_..`, `gho_..`, `ghu_..`, `ghs_..`, `ghr_..`, `github_pat_..`
    Github,
    /// `glpat-..` and its sisters.
    Gitlab,
    /// `AIza..`
    GoogleApiKey,
    /// `GOCSPX-..`
    GoogleOauth,
    /// `glsa_..`
    Grafana,
    /// `gsk_..`
    Groq,
    /// `hf_..`
    HuggingFace,
    /// Three parts, of which two begin as base64url of `{"`.
    Jwt,
    /// `lsv2_pt_..`, `lsv2_sk_..`
    Langsmith,
    /// `lin_api_..`
    Linear,
    /// `NRAK-..`
    NewRelic,
    /// `ntn_..`
    Notion,
    /// `npm_..`
    Npm,
    /// `nvapi-..`
    Nvidia,
    /// `sk-..`, `sk-proj-..`
    Openai,
    /// `sk-or-v1-..`
    Openrouter,
    /// `pplx-..`
    Perplexity,
    /// `pcsk_..`
    Pinecone,
    /// `PMAK-..`
    Postman,
    /// `-----BEGIN .. PRIVATE KEY-----` and what follows.
    PrivateKey,
    /// `pypi-AgE..`
    Pypi,
    /// `r8_..`
    Replicate,
    /// `SG...`
    Sendgrid,
    /// `sntrys_..`
    Sentry,
    /// `shpat_..` and its sisters.
    Shopify,
    /// `xoxb-..` and its sisters.
    Slack,
    /// `sk_live_..`, `rk_live_..`, `sk_test_..`, `rk_test_..`, `whsec_..`
    Stripe,
    /// `sbp_..`
    Supabase,
    /// `tvly-..`
    Tavily,
    /// `123456789:AA..`
    Telegram,
    /// The password in `scheme://user:password@host`.
    UrlPassword,
    /// `xai-..`
    Xai,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 42] = [
        Kind::Age,
        Kind::Anthropic,
        Kind::AwsAccessKey,
        Kind::AwsSecretKey,
        Kind::AzureStorage,
        Kind::Bearer,
        Kind::CreditCard,
        Kind::DigitalOcean,
        Kind::Docker,
        Kind::Figma,
        Kind::Github,
        Kind::Gitlab,
        Kind::GoogleApiKey,
        Kind::GoogleOauth,
        Kind::Grafana,
        Kind::Groq,
        Kind::HuggingFace,
        Kind::Jwt,
        Kind::Langsmith,
        Kind::Linear,
        Kind::NewRelic,
        Kind::Notion,
        Kind::Npm,
        Kind::Nvidia,
        Kind::Openai,
        Kind::Openrouter,
        Kind::Perplexity,
        Kind::Pinecone,
        Kind::Postman,
        Kind::PrivateKey,
        Kind::Pypi,
        Kind::Replicate,
        Kind::Sendgrid,
        Kind::Sentry,
        Kind::Shopify,
        Kind::Slack,
        Kind::Stripe,
        Kind::Supabase,
        Kind::Tavily,
        Kind::Telegram,
        Kind::UrlPassword,
        Kind::Xai,
    ];

    /// The word in `secret.kinds` and in marks.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Age => "age",
            Kind::Anthropic => "anthropic",
            Kind::AwsAccessKey => "aws-access-key",
            Kind::AwsSecretKey => "aws-secret-key",
            Kind::AzureStorage => "azure-storage",
            Kind::Bearer => "bearer",
            Kind::CreditCard => "credit-card",
            Kind::DigitalOcean => "digital-ocean",
            Kind::Docker => "docker",
            Kind::Figma => "figma",
            Kind::Github => "github",
            Kind::Gitlab => "gitlab",
            Kind::GoogleApiKey => "google-api-key",
            Kind::GoogleOauth => "google-oauth",
            Kind::Grafana => "grafana",
            Kind::Groq => "groq",
            Kind::HuggingFace => "hugging-face",
            Kind::Jwt => "jwt",
            Kind::Langsmith => "langsmith",
            Kind::Linear => "linear",
            Kind::NewRelic => "new-relic",
            Kind::Notion => "notion",
            Kind::Npm => "npm",
            Kind::Nvidia => "nvidia",
            Kind::Openai => "openai",
            Kind::Openrouter => "openrouter",
            Kind::Perplexity => "perplexity",
            Kind::Pinecone => "pinecone",
            Kind::Postman => "postman",
            Kind::PrivateKey => "private-key",
            Kind::Pypi => "pypi",
            Kind::Replicate => "replicate",
            Kind::Sendgrid => "sendgrid",
            Kind::Sentry => "sentry",
            Kind::Shopify => "shopify",
            Kind::Slack => "slack",
            Kind::Stripe => "stripe",
            Kind::Supabase => "supabase",
            Kind::Tavily => "tavily",
            Kind::Telegram => "telegram",
            Kind::UrlPassword => "url-password",
            Kind::Xai => "xai",
        }
    }
}
