package usrloc

import "kahea/modules"

// databaseParams are the parameters that say how contacts lie in a database. There is no database mode, so they change nothing; the start says so of each that is set.
func (m *mod) databaseParams() (l []modules.Param) {
	add := func(t modules.ParamType, names ...string) {
		for _, name := range names {
			l = append(l, modules.Param{Name: name, Type: t, Doc: "changes nothing, as there is no database mode; the start says so", Func: func(modules.Value) error {
				m.database = append(m.database, name)
				return nil
			}})
		}
	}
	add(modules.StrParam, "db_url", "ruid_column", "user_column", "domain_column", "contact_column", "expires_column", "q_column", "callid_column", "cseq_column", "flags_column",
		"cflags_column", "user_agent_column", "received_column", "path_column", "socket_column", "methods_column", "instance_column", "reg_id_column", "server_id_column",
		"connection_id_column", "keepalive_column", "partition_column")
	add(modules.IntParam, "db_load", "db_insert_update", "db_update_as_insert", "db_check_update", "db_ops_ruid", "db_raw_fetch_type", "db_insert_null", "db_timer_clean",
		"db_clean_tcp", "fetch_rows", "expires_type", "server_id_filter", "rm_expired_delay", "skip_remote_socket", "version_table", "load_rank")
	return l
}
