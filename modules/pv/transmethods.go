package pv

import "kahea/cfglang/route"

// The methods of each class: name, parameters as they are written, and what they yield. Null makes every class but val fail.

var stringMethods = []route.TransMethod{
	{Name: "len", Doc: "length in bytes, a number"},
	{Name: "int", Doc: "the number that a decimal text is; another text fails"},
	{Name: "intv", Doc: "as int, and the text is written anew from the number"},
	{Name: "md5", Doc: "MD5 in lower-case hexadecimal"},
	{Name: "sha1", Doc: "SHA-1 in lower-case hexadecimal"},
	{Name: "sha256", Doc: "SHA-256 in lower-case hexadecimal"},
	{Name: "sha384", Doc: "SHA-384 in lower-case hexadecimal"},
	{Name: "sha512", Doc: "SHA-512 in lower-case hexadecimal"},
	{Name: "sha3", Args: "[256|384|512]", Example: "512", Doc: "SHA-3 of 256 (the default), 384 or 512 bits in lower-case hexadecimal"},
	{Name: "keccak", Doc: "Keccak of 256 bits, as it was before SHA-3, in lower-case hexadecimal"},
	{Name: "encode.hexa", Doc: "each byte as two hexadecimal digits"},
	{Name: "decode.hexa", Doc: "the bytes of hexadecimal digits"},
	{Name: "encode.7bit", Doc: "the alphabet of GSM packed in 7 bits, in hexadecimal"},
	{Name: "decode.7bit", Doc: "the text that is packed in 7 bits and written in hexadecimal"},
	{Name: "encode.base58", Doc: "the text in base 58"},
	{Name: "decode.base58", Doc: "the text that base 58 stands for"},
	{Name: "encode.base64", Doc: "the text in base 64"},
	{Name: "decode.base64", Doc: "the text that base 64 stands for"},
	{Name: "encode.base64t", Doc: "the text in base 64 without padding"},
	{Name: "decode.base64t", Doc: "the text that base 64 without padding stands for"},
	{Name: "encode.base64url", Doc: "the text in base 64 with the alphabet for URLs"},
	{Name: "decode.base64url", Doc: "the text that base 64 with the alphabet for URLs stands for"},
	{Name: "encode.base64urlt", Doc: "the text in base 64 with the alphabet for URLs, without padding"},
	{Name: "decode.base64urlt", Doc: "the text that base 64 with the alphabet for URLs, without padding, stands for"},
	{Name: "escape.common", Doc: "a backslash before ' \" \\ and NUL"},
	{Name: "unescape.common", Doc: "without the backslashes of escape.common"},
	{Name: "escape.user", Doc: "what a URI's user may not hold, percent-encoded"},
	{Name: "unescape.user", Doc: "percent-encoded characters of a URI's user decoded"},
	{Name: "escape.param", Doc: "what a URI's parameter may not hold, percent-encoded"},
	{Name: "unescape.param", Doc: "percent-encoded characters of a URI's parameter decoded"},
	{Name: "escape.crlf", Doc: "carriage return and line feed as \\r and \\n"},
	{Name: "unescape.crlf", Doc: "\\r and \\n as carriage return and line feed"},
	{Name: "escape.csv", Doc: "in double quotes, quotes within doubled"},
	{Name: "urlencode.param", Doc: "encoded as a parameter of a URL, a blank as +"},
	{Name: "urldecode.param", Doc: "decoded as a parameter of a URL, + as a blank"},
	{Name: "prefixes", Args: "[max]", Example: "4", Doc: "all prefixes up to max characters, separated by commas: a,ab,abc"},
	{Name: "prefixes.quoted", Args: "[max]", Example: "4", Doc: "all prefixes up to max characters in single quotes, separated by commas"},
	{Name: "substr", Args: "offset,length", Example: "0,3", Doc: "length bytes from offset; a negative offset counts from the end, length 0 is the rest"},
	{Name: "select", Args: "n,separator", Example: "0,;", Doc: "the nth item, from 0, or from the end when negative; empty when there is none. The separator is one character, or \\s \\t \\n \\r"},
	{Name: "selectsw", Args: "n,separators", Example: "0,\\s\\t", Doc: "as select, but a run of any of the given characters, or of white space when none are given, separates"},
	{Name: "strip", Args: "n", Example: "1", Doc: "without the first n bytes"},
	{Name: "striptail", Args: "n", Example: "1", Doc: "without the last n bytes"},
	{Name: "stripto", Args: "c", Example: "@", Doc: "from the first character c on; empty without one"},
	{Name: "before", Args: "c", Example: "@", Doc: "what stands before the first character c; all without one"},
	{Name: "after", Args: "c", Example: "@", Doc: "what stands behind the first character c; empty without one"},
	{Name: "rbefore", Args: "c", Example: ".", Doc: "what stands before the last character c; all without one"},
	{Name: "rafter", Args: "c", Example: ".", Doc: "what stands behind the last character c; empty without one"},
	{Name: "trim", Doc: "without white space at both ends"},
	{Name: "ltrim", Doc: "without white space at the start"},
	{Name: "rtrim", Doc: "without white space at the end"},
	{Name: "rm", Args: "text", Example: "-", Doc: "without any occurrence of text"},
	{Name: "rmws", Doc: "without white space"},
	{Name: "rmhdws", Doc: "line ends and the blanks behind them as one blank, as a folded header is unfolded"},
	{Name: "rmhlws", Doc: "without line ends and the blanks behind them"},
	{Name: "replace", Args: "text,by", Example: "a,b", Doc: "each occurrence of text replaced"},
	{Name: "tolower", Doc: "A to Z in lower case"},
	{Name: "toupper", Doc: "a to z in upper case"},
	{Name: "numeric", Doc: "the digits, nothing else"},
	{Name: "count", Args: "c", Example: "a", Doc: "how often character c occurs, a number"},
	{Name: "corehash", Args: "[size]", Example: "16", Doc: "hash of the core as a number, below size, a power of two, when that is given"},
	{Name: "crc32", Doc: "CRC-32 as a number"},
	{Name: "ftime", Args: "format", Example: "%Y-%m-%d", Doc: "seconds since 1970 as local time by a format of strftime"},
	{Name: "unquote", Doc: "without a pair of quotes around it"},
	{Name: "unbracket", Doc: "without a pair of <> () [] {} around it"},
	{Name: "fmtlines", Args: "n,m", Example: "72,1", Doc: "broken into lines of n bytes, each line but the first behind m blanks"},
	{Name: "fmtlinet", Args: "n,m", Example: "72,1", Doc: "broken into lines of n bytes, each line but the first behind m tabs"},
	{Name: "charat", Args: "n", Example: "0", Doc: "the nth character, from 0; empty when there is none"},
	{Name: "byteat", Args: "n", Example: "0", Doc: "the nth byte as a number, from 0; -1 when there is none"},
}

var uriMethods = []route.TransMethod{
	{Name: "user", Doc: "user; empty when there is none, as all parts"},
	{Name: "host", Doc: "host; an IPv6 address keeps its brackets"},
	{Name: "domain", Doc: "host, as uri.host"},
	{Name: "passwd", Doc: "password"},
	{Name: "port", Doc: "port as a number; 0 when there is none"},
	{Name: "params", Doc: "all parameters"},
	{Name: "headers", Doc: "what stands behind the question mark"},
	{Name: "param", Args: "name", Example: "transport", Doc: "value of a parameter"},
	{Name: "rmparam", Args: "name", Example: "transport", Doc: "the URI without a parameter"},
	{Name: "transport", Doc: "value of the parameter transport"},
	{Name: "ttl", Doc: "value of the parameter ttl"},
	{Name: "uparam", Doc: "value of the parameter user"},
	{Name: "maddr", Doc: "value of the parameter maddr"},
	{Name: "method", Doc: "value of the parameter method"},
	{Name: "lr", Doc: "value of the parameter lr"},
	{Name: "r2", Doc: "value of the parameter r2"},
	{Name: "scheme", Doc: "sip, sips, tel, tels or urn"},
	{Name: "tosocket", Doc: "transport:host:port, as a socket is written"},
	{Name: "duri", Doc: "sip:host:port;transport=x, as $du takes it"},
	{Name: "saor", Doc: "sip:user@host"},
	{Name: "suri", Doc: "sip:user@host:port;transport=x"},
}

var paramMethods = []route.TransMethod{
	{Name: "value", Args: "name,[delimiter]", Example: "lr", Doc: "value of a parameter without its quotes; the delimiter is ; unless it is given"},
	{Name: "in", Args: "name,[delimiter]", Example: "lr", Doc: "1 when the parameter is there, 0 when not"},
	{Name: "valueat", Args: "n,[delimiter]", Example: "0", Doc: "value of the nth parameter, from 0, or from the end when negative"},
	{Name: "name", Args: "n,[delimiter]", Example: "0", Doc: "name of the nth parameter, from 0, or from the end when negative"},
	{Name: "count", Args: "[delimiter]", Doc: "number of parameters"},
}

var nameaddrMethods = []route.TransMethod{
	{Name: "name", Doc: "display name as it stands, with its quotes"},
	{Name: "uri", Doc: "URI"},
	{Name: "len", Doc: "length of name and URI up to the closing angle bracket, a number"},
}

var tobodyMethods = []route.TransMethod{
	{Name: "uri", Doc: "URI"},
	{Name: "tag", Doc: "value of the parameter tag"},
	{Name: "user", Doc: "user of the URI"},
	{Name: "host", Doc: "host of the URI"},
	{Name: "params", Doc: "parameters behind the URI"},
	{Name: "display", Doc: "display name as it stands"},
}

var lineMethods = []route.TransMethod{
	{Name: "at", Args: "n", Example: "0", Doc: "the nth line, from 0, or from the end when negative, without its end"},
	{Name: "count", Doc: "number of lines"},
	{Name: "sw", Args: "text", Example: "a=", Doc: "the first line that starts with text"},
}

var aliasMethods = []route.TransMethod{
	{Name: "encode", Doc: "address and transport of a SIP URI as host~port~transport number"},
	{Name: "decode", Doc: "the SIP URI of host~port~transport number"},
}

var valMethods = []route.TransMethod{
	{Name: "n0", Doc: "the value; 0 instead of null"},
	{Name: "ne", Doc: "the value; empty instead of null"},
	{Name: "json", Doc: "the value with the escapes of JSON, without quotes"},
	{Name: "jsonqe", Doc: "the value as JSON: text in quotes with its escapes, numbers as they are, \"\" for null"},
}

var numMethods = []route.TransMethod{
	{Name: "fdigit", Doc: "first decimal digit of a number; 0 of what is none"},
	{Name: "ldigit", Doc: "last decimal digit of a number; 0 of what is none"},
}
