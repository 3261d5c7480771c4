/** Names of columns as they are written in statements. */

export type Dialect = "mysql" | "postgres";

/** Of the action that has the statement. */
export const dialectOf = (action: string): Dialect => (action === "data_to_mysql" ? "mysql" : "postgres");

/**
 * Words that MySQL (8.4), MariaDB or PostgreSQL (17) keep for themselves, where a field may be called so.
 * [dev.mysql.com/doc/refman/8.4/en/keywords.html, mariadb.com/kb/en/reserved-words, postgresql.org/docs/17/sql-keywords-appendix.html]
 */
const RESERVED = new Set(
  `accessible add all alter analyse analyze and any array as asc asensitive asymmetric authorization before between bigint binary blob both by
  call cascade case cast change char character check collate collation column concurrently condition constraint continue convert create cross
  cube cume_dist current_catalog current_date current_role current_schema current_time current_timestamp current_user cursor database databases
  day_hour day_microsecond day_minute day_second dec decimal declare default deferrable delayed delete dense_rank desc describe deterministic
  distinct distinctrow div do double drop dual each else elseif empty enclosed end escaped except exists exit explain false fetch first_value
  float float4 float8 for force foreign freeze from full fulltext function generated get grant group grouping groups having high_priority
  hour_microsecond hour_minute hour_second if ignore ilike in index infile initially inner inout insensitive insert int int1 int2 int3 int4 int8
  integer intersect interval into io_after_gtids io_before_gtids is isnull iterate join json_table key keys kill lag last_value lateral lead
  leading leave left like limit linear lines load localtime localtimestamp lock long longblob longtext loop low_priority manual match maxvalue
  mediumblob mediumint mediumtext middleint minute_microsecond minute_second mod modifies natural not notnull nth_value ntile null numeric of
  offset on only optimize option optionally or order out outer outfile over overlaps parallel partition percent_rank placing precision primary
  procedure purge qualify range rank read reads read_write real recursive references regexp release rename repeat replace require resignal
  restrict return returning revoke right rlike row row_number rows schema schemas second_microsecond select sensitive separator session_user set
  show signal similar smallint some spatial specific sql sqlexception sqlstate sqlwarning ssl starting stored straight_join symmetric system
  system_user table tablesample terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique unlock unsigned update usage
  use user using utc_date utc_time utc_timestamp values varbinary varchar varcharacter variadic varying verbose virtual when where while window
  with write xor year_month zerofill`.split(/\s+/),
);

/** What needs no quotes, unless the word is reserved: names with other letters do in one of them. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** In quotes where it has to be; in PostgreSQL as it would be read without them, in lower case. */
export function columnName(name: string, dialect: Dialect): string {
  if (PLAIN.test(name) && !RESERVED.has(name.toLowerCase())) return name;
  return dialect === "mysql" ? `\`${name}\`` : `"${PLAIN.test(name) ? name.toLowerCase() : name}"`;
}
