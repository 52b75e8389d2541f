package sipparse

// Proto is a transport with Kamailio's numbers ($prid).
type Proto uint8

// The transports.
const (
	ProtoNone Proto = 0
	UDP       Proto = 1
	TCP       Proto = 2
	TLS       Proto = 3
	SCTP      Proto = 4
	WS        Proto = 5
	WSS       Proto = 6
)

var (
	protoLower = [...]string{"", "udp", "tcp", "tls", "sctp", "ws", "wss"}
	protoUpper = [...]string{"", "UDP", "TCP", "TLS", "SCTP", "WS", "WSS"}
)

// String is the name in lower case ("udp"), as in URIs and socket names; "" for ProtoNone.
func (p Proto) String() string {
	if int(p) >= len(protoLower) {
		return ""
	}
	return protoLower[p]
}

// Via is the name in upper case, as in Via; "" for ProtoNone.
func (p Proto) Via() string {
	if int(p) >= len(protoUpper) {
		return ""
	}
	return protoUpper[p]
}

// ParseProto finds a transport by its name in any case.
func ParseProto(b []byte) (Proto, bool) {
	switch len(b) {
	case 2:
		if b[0]|0x20 == 'w' && b[1]|0x20 == 's' {
			return WS, true
		}
	case 3:
		switch b[0] | 0x20 {
		case 'u':
			if b[1]|0x20 == 'd' && b[2]|0x20 == 'p' {
				return UDP, true
			}
		case 't':
			if b[1]|0x20 == 'c' && b[2]|0x20 == 'p' {
				return TCP, true
			}
			if b[1]|0x20 == 'l' && b[2]|0x20 == 's' {
				return TLS, true
			}
		case 'w':
			if b[1]|0x20 == 's' && b[2]|0x20 == 's' {
				return WSS, true
			}
		}
	case 4:
		if equalFold(b, "sctp") {
			return SCTP, true
		}
	}
	return ProtoNone, false
}
