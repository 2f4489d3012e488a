package v1alpha1

// Notification says who is told what becomes of a run or a release, and how: one of
// the ways is set. What is told of one run is one message, edited in place where that can be.
//
// +kubebuilder:validation:ExactlyOneOf=slack;mail;sns;teams;webhook
type Notification struct {
	// Name, by which notify stages choose.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`
	Name string `json:"name"`
	// Moments that are told of. None: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	Moments []Moment `json:"moments,omitempty"`

	// +optional
	Slack *SlackNotification `json:"slack,omitempty"`
	// +optional
	Mail *MailNotification `json:"mail,omitempty"`
	// +optional
	SNS *SNSNotification `json:"sns,omitempty"`
	// +optional
	Teams *TeamsNotification `json:"teams,omitempty"`
	// +optional
	Webhook *WebhookNotification `json:"webhook,omitempty"`
}

// Moment is when people are told.
//
// +kubebuilder:validation:Enum=started;asking;succeeded;failed
type Moment string

const (
	MomentStarted   Moment = "started"
	MomentAsking    Moment = "asking" // a person: a judgment, or a release without a verdict
	MomentSucceeded Moment = "succeeded"
	MomentFailed    Moment = "failed" // or cancelled, or rolled back
)

// SlackNotification is a message of an app with the right chat:write.
type SlackNotification struct {
	// Channel is its id, or its name with #.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Channel string `json:"channel"`
	// TokenKey is NAME/KEY of a Secret in the namespace, with the bot's token.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=507
	TokenKey string `json:"tokenKey"`
	// URL of the API. Default: Slack's.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
}

// MailNotification is mail by SMTP, encrypted where the server can. The mails of one run are one thread.
type MailNotification struct {
	// Server is HOST:PORT.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=260
	Server string `json:"server"`
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	From string `json:"from"`
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=254
	To []string `json:"to"`
	// Secret in the namespace with username and password. None: the server asks for none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Secret string `json:"secret,omitempty"`
}

// SNSNotification is a message to a topic of AWS SNS.
type SNSNotification struct {
	// Topic is its ARN, which says its region.
	// +kubebuilder:validation:Pattern=`^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_.-]+$`
	// +kubebuilder:validation:MaxLength=512
	Topic string `json:"topic"`
	// Secret in the namespace with accessKeyId, secretAccessKey and, if there is one, sessionToken.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Secret string `json:"secret"`
	// URL of the API. Default: that of the region.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
}

// TeamsNotification is a card by a Teams workflow that takes webhooks.
type TeamsNotification struct {
	// URLKey is NAME/KEY of a Secret in the namespace, with the workflow's address.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=507
	URLKey string `json:"urlKey"`
}

// WebhookNotification is a POST of JSON.
type WebhookNotification struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// SecretKey is NAME/KEY of a Secret in the namespace; with its value the body is signed: X-Weft-Signature is
	// sha256= and the HMAC in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=507
	SecretKey string `json:"secretKey,omitempty"`
}

// NotifyStage tells people something.
type NotifyStage struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Text string `json:"text"`
	// To are names of the pipeline's notifications. None: all of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=40
	To []string `json:"to,omitempty"`
}
