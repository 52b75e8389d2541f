package sipparse

// Method is a bit as in Kamailio's $rmid.
type Method uint32

// The methods that Kamailio knows, with its numbers.
const (
	INVITE      Method = 1
	CANCEL      Method = 2
	ACK         Method = 4
	BYE         Method = 8
	INFO        Method = 16
	REGISTER    Method = 32
	SUBSCRIBE   Method = 64
	NOTIFY      Method = 128
	MESSAGE     Method = 256
	OPTIONS     Method = 512
	PRACK       Method = 1024
	UPDATE      Method = 2048
	REFER       Method = 4096
	PUBLISH     Method = 8192
	KDMQ        Method = 16384
	GET         Method = 32768
	POST        Method = 65536
	PUT         Method = 131072
	DELETE      Method = 262144
	OtherMethod Method = 524288
)

// LookupMethod finds a method by its exact name (RFC 3261 7.1: case-sensitive); OtherMethod if it is not known.
func LookupMethod(b []byte) Method {
	switch string(b) {
	case "INVITE":
		return INVITE
	case "CANCEL":
		return CANCEL
	case "ACK":
		return ACK
	case "BYE":
		return BYE
	case "INFO":
		return INFO
	case "REGISTER":
		return REGISTER
	case "SUBSCRIBE":
		return SUBSCRIBE
	case "NOTIFY":
		return NOTIFY
	case "MESSAGE":
		return MESSAGE
	case "OPTIONS":
		return OPTIONS
	case "PRACK":
		return PRACK
	case "UPDATE":
		return UPDATE
	case "REFER":
		return REFER
	case "PUBLISH":
		return PUBLISH
	case "KDMQ":
		return KDMQ
	case "GET":
		return GET
	case "POST":
		return POST
	case "PUT":
		return PUT
	case "DELETE":
		return DELETE
	}
	return OtherMethod
}

// String is the method's name, "" for OtherMethod and for what is not exactly one method.
func (m Method) String() string {
	switch m {
	case INVITE:
		return "INVITE"
	case CANCEL:
		return "CANCEL"
	case ACK:
		return "ACK"
	case BYE:
		return "BYE"
	case INFO:
		return "INFO"
	case REGISTER:
		return "REGISTER"
	case SUBSCRIBE:
		return "SUBSCRIBE"
	case NOTIFY:
		return "NOTIFY"
	case MESSAGE:
		return "MESSAGE"
	case OPTIONS:
		return "OPTIONS"
	case PRACK:
		return "PRACK"
	case UPDATE:
		return "UPDATE"
	case REFER:
		return "REFER"
	case PUBLISH:
		return "PUBLISH"
	case KDMQ:
		return "KDMQ"
	case GET:
		return "GET"
	case POST:
		return "POST"
	case PUT:
		return "PUT"
	case DELETE:
		return "DELETE"
	}
	return ""
}
