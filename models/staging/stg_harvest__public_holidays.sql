select distinct
  calendars.id as holiday_calendar_id,
  entries.date as day
from {{ harvest.harvest_table('pto_holiday_calendars__entries') }} as entries
inner join {{ harvest.harvest_table('pto_holiday_calendars') }} as calendars
  on calendars._dlt_id = entries._dlt_parent_id
