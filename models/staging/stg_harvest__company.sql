select
  name as company_name,
  currency as account_currency,
  coalesce(week_start_day, 'Monday') as week_start_day,
  case week_start_day when 'Saturday' then 6 when 'Sunday' then 7 else 1 end as first_weekday
from {{ harvest.harvest_table('company') }}
