//go:build wasip1

// Command plugin is code that proxies run on requests: a header that says what it was configured with, and no request that
// asks to be refused. It speaks Proxy-Wasm 0.2.1 with nothing but Go:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags '-s -w' -o plugin.wasm ./examples/plugin
package main

import "unsafe"

// What the proxy has for a plugin. Strings are an address and a length.
//
//go:wasmimport env proxy_add_header_map_value
func addHeader(of uint32, name unsafe.Pointer, nameLen uint32, value unsafe.Pointer, valueLen uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(of uint32, name unsafe.Pointer, nameLen uint32, value, valueLen unsafe.Pointer) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(of, start, most uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_send_local_response
func answer(status uint32, details unsafe.Pointer, detailsLen uint32, body unsafe.Pointer, bodyLen uint32, headers unsafe.Pointer, headersLen uint32, grpc int32) uint32

const (
	requestHeaders = 0
	configuration  = 7

	goOn, stop = 0, 1
)

// kept is what the proxy has written into our memory: the collector of garbage does not see who reads it.
var kept = map[unsafe.Pointer][]byte{}

var config string

func text(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

//go:wasmexport proxy_abi_version_0_2_1
func abi() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	b := make([]byte, max(size, 1))
	at := unsafe.Pointer(unsafe.SliceData(b))
	kept[at] = b
	return at
}

// taken is a string that the proxy has written.
func taken(at unsafe.Pointer, size uint32) string {
	s := string(unsafe.Slice((*byte)(at), size))
	delete(kept, at)
	return s
}

//go:wasmexport proxy_on_context_create
func created(context, parent uint32) {}

//go:wasmexport proxy_on_vm_start
func started(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func configured(context, size uint32) uint32 {
	var at unsafe.Pointer
	var n uint32
	if size > 0 && getBuffer(configuration, 0, size, unsafe.Pointer(&at), unsafe.Pointer(&n)) == 0 {
		config = taken(at, n)
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func request(context, headers, end uint32) uint32 {
	if header("x-refuse-me") == "yes" {
		details, n := text("refused by a plugin")
		answer(403, details, n, details, n, nil, 0, -1)
		return stop
	}
	name, n := text("x-plugin")
	value, m := text(config)
	addHeader(requestHeaders, name, n, value, m)
	return goOn
}

func header(name string) string {
	var at unsafe.Pointer
	var size uint32
	p, n := text(name)
	if getHeader(requestHeaders, p, n, unsafe.Pointer(&at), unsafe.Pointer(&size)) != 0 || at == nil {
		return ""
	}
	return taken(at, size)
}

func main() {}
